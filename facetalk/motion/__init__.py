"""Heads and their motion.

`heads` loads a head by name; `published_heads` completes those of other publishers, and `head_calibration` puts their
points where the landmark detector sees them (`detector_bias` measures what remains, for the bundled head).
`retarget` converts a motion to another head, `arkit_view` shows a head through ARKit's channels, `gestures` adds idle
motion. `frames` poses and renders a motion in order, on the `head_surface` of a head; `face_scene` places a head in
front of a video's camera as a face encoder describes it, on the `landmark_head` where only landmarks are needed.
"""
