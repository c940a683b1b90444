"""Values, rotations, time and errors: what every other package may import."""
