"""How chunks reach the workers: the Celery application, Redis, producers, messages of other services."""
