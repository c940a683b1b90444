"""Crops of images and drawings on them."""
