"""The ledger: chunks with leases, jobs, dead letters, and the sweeper, kept in the state of an index."""
