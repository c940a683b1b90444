"""Waveforms in, features and phonemes out."""
