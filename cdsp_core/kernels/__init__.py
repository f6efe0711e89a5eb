"""Fast forms of single operations, and the one place that chooses between them."""
