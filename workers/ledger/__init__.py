"""What is done, whatever dies: chunks of work with leases, jobs, dead letters, and the sweep over them."""
