"""The one room that calls AWS: clients with one patience, and one clear error for what a call did not do."""

from pipeline.aws.channels import parameter_history
from pipeline.aws.clients import asking, client, explain
from pipeline.aws.machines import launch_subnet

__all__ = ["asking", "client", "explain", "launch_subnet", "parameter_history"]
