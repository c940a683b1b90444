"""Networks and the registry of released ones."""
