"""Video -> motion: one file per fitter."""
