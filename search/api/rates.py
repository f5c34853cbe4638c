"""How often a key may ask: a bucket of tokens that fills at the rate (RFC 2697 calls it so)."""

from __future__ import annotations

import math
import time
from collections import OrderedDict

from search.api.problems import RATE, Problem

#: buckets that are kept; the one unused for longest is full again long before it is dropped
_MOST = 10_000


class Rates:
    """Buckets by name, for one process. A bucket holds as many tokens as two seconds bring."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._burst = max(1.0, 2 * rate)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, tokens: int = 1) -> None:
        """Take tokens; raises Problem with the time to wait where there are too few.

        A batch larger than a whole bucket is let in when the bucket is full, and is paid for afterwards.
        """
        if not self._rate:
            return
        now = time.monotonic()
        left, since = self._buckets.get(name, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        needed = min(float(tokens), self._burst)
        if left < needed:
            wait = math.ceil((needed - left) / self._rate)
            raise Problem(RATE, f"try again in {wait} s", headers={"Retry-After": str(wait)})
        self._buckets[name] = (left - tokens, now)
        self._buckets.move_to_end(name)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)
