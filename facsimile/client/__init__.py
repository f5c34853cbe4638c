"""The client of a server of Facsimile, and the errors that only a server has."""

from facsimile.client.client import Client

__all__ = ["Client"]
