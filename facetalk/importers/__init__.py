"""Files of other programs -> `Motion`."""
