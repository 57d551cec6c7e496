"""The command line: a module a group of commands, put together in `app`."""
