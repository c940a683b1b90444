"""Parts of recipes that are long enough for a file of their own; not recipes themselves."""
