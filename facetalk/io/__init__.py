"""Reading and writing files; only this package and the exporters open them."""
