"""The index on Elasticsearch; the only home of its client library."""
