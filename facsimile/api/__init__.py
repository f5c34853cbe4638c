"""The HTTP API: every route, one file per group of them, and what guards them."""
