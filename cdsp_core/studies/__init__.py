"""Experiments over seeds: `python -m cdsp_core study NAME`."""
