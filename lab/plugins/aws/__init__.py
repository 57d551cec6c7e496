"""Stand-in for the plugin `aws` 7.51.1: the resource types and functions that the program uses."""

from lab.plugins.aws.provider import main

__all__ = ["main"]
