"""Programs that make the training data of the speech encoder: corpora of speech and a teacher's features."""
