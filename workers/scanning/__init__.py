"""Scans: which suspects show which works, what people decide about the findings, and when a scan repeats."""
