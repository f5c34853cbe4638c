"""What a fetch may cost; apart from the fetching, so that settings are read without an HTTP library."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What one fetch may cost. `total_seconds` counts from the first attempt to the last byte, with redirects
    and pauses; `per_host` is connections of one process to one host; `max_pause` bounds what a server's
    Retry-After may ask for.
    """

    max_bytes: int = 50_000_000
    connect_seconds: float = 5.0
    read_seconds: float = 10.0
    total_seconds: float = 45.0
    max_redirects: int = 5
    attempts: int = 3
    max_pause: float = 20.0
    per_host: int = 2
    allow_private: bool = False
    user_agent: str = "facsimile"
