"""The web process: fans frames out to pages, carries commands back, keeps the history. Imports no torch."""
