"""A page of figures, curves and pictures that opens in any browser, without a network."""
