"""Is this machine and account ready? Checks that change nothing, each with a cause and a cure."""
