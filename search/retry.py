"""The one retry policy: pauses that grow exponentially, with jitter so that clients spread out.

Source: Brooker, "Exponential Backoff and Jitter", 2015.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tenacity

#: doublings after which a pause grows no further, so that no power overflows
_MAX_POWER = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Pauses in seconds between attempts.

    The n-th pause is `first` · `factor`^(n - 1), at most `longest`, times a random number in
    the interval `jitter`.
    """

    first: float
    longest: float = float("inf")
    factor: float = 2.0
    jitter: tuple[float, float] = (0.0, 1.0)

    def pause(self, attempt: int) -> float:
        """Seconds to wait after an attempt, counted from 1."""
        full = min(self.longest, self.first * self.factor ** min(attempt - 1, _MAX_POWER))
        return full * random.uniform(*self.jitter)  # noqa: S311 - spreads attempts, no secret

    def retrying(self, *, sleep: Callable[[float], None] = time.sleep, **rules: Any) -> tenacity.Retrying:
        """Calls a function until it succeeds; `rules` are those of `_rules`."""
        from tenacity import Retrying

        return Retrying(sleep=sleep, **self._rules(**rules))

    def retrying_async(self, **rules: Any) -> tenacity.AsyncRetrying:
        """Calls a coroutine function until it succeeds; `rules` are those of `_rules`."""
        from tenacity import AsyncRetrying

        return AsyncRetrying(**self._rules(**rules))

    def _rules(
        self,
        *,
        retry: Callable[[BaseException], bool],
        timeout: float | None = None,
        attempts: int | None = None,
        minimum: Callable[[BaseException], float] = lambda error: 0.0,
        on_retry: Callable[[BaseException], None] = lambda error: None,
    ) -> dict[str, Any]:
        """The arguments of tenacity.

        `retry` says whether an error may be followed by another attempt. There are at most `attempts`, and
        none that would begin after `timeout` seconds. A pause lasts at least `minimum` of the error.
        `on_retry` is called before each pause. The last error is raised.
        """
        from tenacity import RetryCallState, retry_if_exception, stop_after_attempt, stop_before_delay
        from tenacity.stop import stop_any, stop_base

        def error_of(state: RetryCallState) -> BaseException:
            error = state.outcome.exception() if state.outcome else None
            assert error is not None, "a pause follows an error"  # noqa: S101 - tells the type
            return error

        stops: list[stop_base] = []
        if attempts is not None:
            stops.append(stop_after_attempt(attempts))
        if timeout is not None:
            stops.append(stop_before_delay(max(0.0, timeout)))
        return {
            "retry": retry_if_exception(retry),
            "stop": stop_any(*stops),
            "wait": lambda state: max(self.pause(state.attempt_number), minimum(error_of(state))),
            "before_sleep": lambda state: on_retry(error_of(state)),
            "reraise": True,
        }
