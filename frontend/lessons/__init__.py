"""Lessons, a Markdown file each, and how they are read and answered."""
