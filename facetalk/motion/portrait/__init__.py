"""The geometry of a photo that is brought to life: the head in it, how it shall move, and where its pixels go."""
