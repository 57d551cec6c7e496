"""Which image a channel holds, held before, may hold, and which ones nobody needs any more."""
