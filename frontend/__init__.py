"""The page: a Dash app for layout, plain JavaScript in `assets/` for everything that moves."""
