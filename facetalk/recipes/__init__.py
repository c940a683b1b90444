"""Data -> weights: one file per trainable network."""
