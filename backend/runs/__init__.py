"""All runs of a data folder: made, placed, recovered, forked, kept, checked."""
