"""What symmetries preserve, under which conditions, and what they span."""
