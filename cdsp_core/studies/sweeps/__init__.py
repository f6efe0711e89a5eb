"""Maps: a grid of small runs over two settings, as jobs of the studies' framework. Importing it loads no torch."""
