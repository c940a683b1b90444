"""Motion and audio -> motion: blinks, gaze and head movements, one file per gesture."""
