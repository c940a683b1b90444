"""Faces in images: detection, measurements, crops; and drawings of curves and points."""
