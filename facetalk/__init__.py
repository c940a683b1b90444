"""facetalk: speech in, a talking, laughing, feeling 3D head out."""

__version__ = "0.1.0"
