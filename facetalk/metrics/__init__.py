"""How good, for people: one number per frame."""
