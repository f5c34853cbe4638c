"""Rate limits by token buckets."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from typing import NamedTuple

from facsimile.api.problems import RATE_LIMITED, Problem

#: buckets that are kept; the one unused for longest is full again long before it is dropped
_MOST = 10_000


class Standing(NamedTuple):
    """What a bucket holds: its size, the whole tokens left, and the seconds until it is full again."""

    limit: int
    remaining: int
    reset: int


class RateLimiter:
    """Buckets by name, for one process. A bucket holds `burst` tokens, by default what two seconds bring."""

    def __init__(self, rate: float, burst: float = 0.0) -> None:
        self.rate = rate
        self._burst = burst or max(1.0, 2 * rate)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, tokens: int = 1) -> None:
        """Take tokens; raises Problem with the time to wait where there are too few.

        A batch larger than a whole bucket is let in when the bucket is full, and is paid for afterwards.
        """
        if self.rate:
            self.check(name, "", tokens)
            self.charge(name, tokens)

    def check(self, name: str, reason: str, tokens: int = 1) -> None:
        """Raise Problem with the reason and the time to wait where there are too few tokens; take none."""
        needed = min(float(tokens), self._burst)
        if self.rate and (left := self._left(name)) < needed:
            wait = math.ceil((needed - left) / self.rate)
            told = f"{reason}: try again in {wait} s".removeprefix(": ")
            raise Problem(RATE_LIMITED, told, headers={"Retry-After": str(wait)})

    def charge(self, name: str, tokens: int = 1) -> None:
        """Take tokens, whether or not there are so many."""
        self._buckets[name] = (self._left(name) - tokens, time.monotonic())
        self._buckets.move_to_end(name)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)

    def standing(self, name: str) -> Standing | None:
        """How a bucket stands; None where nothing is limited."""
        if not self.rate:
            return None
        left = self._left(name)
        reset = math.ceil((self._burst - left) / self.rate)
        return Standing(math.floor(self._burst), max(0, math.floor(left)), reset)

    def _left(self, name: str) -> float:
        now = time.monotonic()
        left, since = self._buckets.get(name, (self._burst, now))
        return min(self._burst, left + (now - since) * self.rate)
