"""Secrets: in the sources of an image, on the disks of its machines, in what is printed."""
