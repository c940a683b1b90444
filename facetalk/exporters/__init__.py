"""Motion -> file: one file per format."""
