"""Networks: the encoder, the layers its blocks can hold, baselines and related methods."""
