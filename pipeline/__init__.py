"""What the command resources run, and the decisions behind them. Imports nothing of Pulumi."""
