"""A mesh and a camera in, pixels out."""
