"""Photorealistic frames of a person from a motion: one file per kind of renderer."""
