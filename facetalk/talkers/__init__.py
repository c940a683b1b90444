"""Audio -> motion: one file per talker."""
