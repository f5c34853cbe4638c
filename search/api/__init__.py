"""The search API that other services call: FastAPI over an opened index."""
