"""Version of facetalk, which model files and motions record."""

__version__ = "0.1.0"
