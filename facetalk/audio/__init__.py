"""Waveforms -> features and phonemes."""
