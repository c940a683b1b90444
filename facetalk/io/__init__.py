"""Files: the only package that opens them. `read_*` and `write_*`."""
