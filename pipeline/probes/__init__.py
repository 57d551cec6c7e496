"""Programs that run on a machine, as root, with its own Python: 3.6 or later, and nothing but its standard library."""
