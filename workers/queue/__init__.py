"""The queue in front of the ledger: the Celery application, Redis, producers, messages of other services."""
