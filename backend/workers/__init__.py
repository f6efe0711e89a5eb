"""What speaks with workers and knows their processes."""
