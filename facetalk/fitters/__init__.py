"""Fitters: video in, motion of a head out; one file per method."""
