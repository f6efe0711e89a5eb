"""What the page Claims shows."""
