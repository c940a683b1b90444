"""Motion -> file: a module for each output format, and the table that lists them."""
