"""One use each: read, run, write."""
