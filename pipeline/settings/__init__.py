"""Stack config: every key once, read from the engine or from files."""
