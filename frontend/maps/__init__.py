"""What the page Map shows."""
