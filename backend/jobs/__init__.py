"""Processes beside the runs: studies, maps, and the inspector that answers questions about a model."""
