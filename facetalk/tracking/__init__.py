"""Motion from video by optimisation."""
