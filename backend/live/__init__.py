"""A run that trains: its state, its newest frames, who looks at it and what it is told."""
