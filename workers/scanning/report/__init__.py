"""The report of a scan: a folder with findings as JSON Lines, as CSV and as a page."""
