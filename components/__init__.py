"""Pulumi components of the golden image: they declare resources and decide nothing."""
