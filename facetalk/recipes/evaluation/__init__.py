"""Figures of trained networks on data that they were not trained on."""
