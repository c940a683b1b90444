"""Emotions on a face: what each of them moves, and how a motion gets at least that."""
