"""Mesh and camera -> pixels."""
