"""Policy: what is allowed, and why; pure values and functions."""
