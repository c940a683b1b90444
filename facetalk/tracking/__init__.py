"""Least-squares fit of a head to the detected landmarks of a clip."""
