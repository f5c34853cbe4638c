"""Small documents beside the records: jobs, findings, keys. The interface, and what both indices refuse."""
