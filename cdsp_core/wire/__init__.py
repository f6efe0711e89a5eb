"""Whatever crosses a socket, HTTP or a disk between worker, backend and page. No torch."""
