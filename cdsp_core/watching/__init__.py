"""Shows a training loop of one's own on the page: `cdsp_core.watch`."""
