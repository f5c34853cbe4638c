"""Where images come from: sources, safe fetching, queue messages, the pipeline from bytes to records."""
