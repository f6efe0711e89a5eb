"""Whole networks: the encoder, what its blocks can hold, baselines and related methods."""
