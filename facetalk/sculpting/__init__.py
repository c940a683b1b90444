"""Builds the bundled head from measurements and anatomy."""
