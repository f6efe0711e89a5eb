"""Routes and sockets, and what stands before them."""
