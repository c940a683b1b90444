"""Datasets: which clips there are, and the training examples made of them."""
