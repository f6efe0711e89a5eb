"""The history on disk: written in batches by one thread, read from any."""
