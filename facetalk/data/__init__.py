"""Which clips exist, and what an example is."""
