"""Writes that meet writes of others to the same records."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from facsimile.imaging.record import Key
from facsimile.search.retry import Backoff

#: how long a write is retried when other writers change the same record in between, in seconds, and the
#: pauses between attempts; each conflict means that another write succeeded
_SECONDS = 30.0
_BACKOFF = Backoff(first=0.00625, longest=0.2)

T = TypeVar("T")


def retry_conflicts(
    attempt: Callable[[Mapping[Key, T]], dict[Key, T]], waiting: Mapping[Key, T]
) -> Mapping[Key, T]:
    """Repeat an attempt with what it leaves because of other writers; the answer is what is left at last."""
    end = time.monotonic() + _SECONDS
    for number in itertools.count(1):
        waiting = attempt(waiting)
        if not waiting or time.monotonic() >= end:
            break
        time.sleep(_BACKOFF.pause(number))
    return waiting
