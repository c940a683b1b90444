"""Neural networks and their configurations."""
