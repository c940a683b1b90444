"""What is added to a talking motion: blinks, gaze, head motion."""
