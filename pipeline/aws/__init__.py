"""The one room that calls AWS: clients with one patience, and one clear error for what a call did not do."""

from pipeline.aws.clients import asking, client, explain, launch_subnet, parameter_history

__all__ = ["asking", "client", "explain", "launch_subnet", "parameter_history"]
