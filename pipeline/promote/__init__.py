"""Which image a channel holds, held before and may hold: what `pulumi up` runs, and its rules."""
