"""Stand-in for the plugin `command` 1.2.1: command:local:Command."""

from lab.plugins.command.local import main

__all__ = ["main"]
