"""What the page Runs shows."""
