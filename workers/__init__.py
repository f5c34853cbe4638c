"""What outlives a request: the ledger, the queue, scans, webhooks."""
