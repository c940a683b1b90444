"""Which spans of a video are worth learning from, and why the others are not."""
