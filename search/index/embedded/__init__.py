"""The index in a folder: SQLite holds the records, array files answer by exact scans."""
