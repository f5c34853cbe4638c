"""Where records are stored: the interface `Index`, its two implementations, documents beside the records."""
