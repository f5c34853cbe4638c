"""Requests of the client: tried again where that is safe, and every error as a class of ours."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from facsimile.client.errors import ServerUnreachable, error_of
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    import httpx

#: seconds: the first longest wait before a request is tried again, which doubles each time, and the longest
FIRST = 0.25
LONGEST = 8.0


class Connection:
    """A server, its key, and the patience to ask it again. Threads may share it."""

    def __init__(self, base_url: str, api_key: str | None, timeout: float, patience: float) -> None:
        import httpx

        if not base_url.startswith(("http://", "https://")):
            raise InvalidRequest(f"a server has an http or https address, not {base_url!r}")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=timeout)
        self._patience = patience

    def ask(self, method: str, path: str, *, once: bool = False, **parts: Any) -> httpx.Response:
        """The answer to a request; `parts` are those of httpx.

        A busy server, and one that cannot be reached, is asked again for as long as the patience lasts: after
        a random part of a wait that doubles each time ("full jitter"), and no sooner than `Retry-After` says.
        With `once` it must not be done twice: then a broken connection ends it. Raises FacsimileError.
        """
        import httpx

        deadline = time.monotonic() + self._patience
        longest = FIRST
        while True:
            least = 0.0
            try:
                answer = self._http.request(method, path, **parts)
            except httpx.TransportError as fault:
                error: Exception = ServerUnreachable(
                    f"{self._http.base_url}: {fault or type(fault).__name__}"
                )
                error.__cause__ = fault
                again = isinstance(fault, httpx.ConnectError) or not once
            else:
                if answer.is_success:
                    return answer
                problem = _problem(answer)
                error = error_of(answer.status_code, problem)
                in_progress = problem.get("type") == "urn:facsimile:in-progress"
                again = answer.status_code in (429, 503) or in_progress
                least = _seconds(answer.headers.get("Retry-After", ""))
            wait = least + random.uniform(0, longest)  # noqa: S311
            if not again or time.monotonic() + wait > deadline:
                raise error
            time.sleep(wait)
            longest = min(LONGEST, 2 * longest)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()


def _problem(answer: httpx.Response) -> Mapping[str, Any]:
    """The problem document of an answer; a server between us and ours may send something else."""
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0
