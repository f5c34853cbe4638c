"""Sending operations: again where that is safe, and every error as one of Facsimile's classes."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from facsimile.client.errors import ServerUnreachable, error_of
from facsimile.client.operations import Operation
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

#: seconds: the longest wait before the first retry, which doubles each time, and the longest of all
FIRST_WAIT = 0.25
LONGEST_WAIT = 8.0


class _Connection:
    """The address of a server, its API key and timeouts in seconds."""

    def __init__(self, base_url: str, api_key: str | None, timeout: float, retry_timeout: float) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise InvalidRequest(f"the address of a server begins with http:// or https://, not {base_url!r}")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._options: dict[str, Any] = {"base_url": base_url, "headers": headers, "timeout": timeout}
        self._base_url = base_url
        self._retry_timeout = retry_timeout


class Connection(_Connection):
    """A connection that blocks. Threads may share it."""

    @cached_property
    def _http(self) -> httpx.Client:
        import httpx

        return httpx.Client(**self._options)

    def run(self, operation: Operation[T]) -> T:
        """The result of an operation. Raises FacsimileError."""
        import httpx

        attempts = _Attempts(operation, self._base_url, self._retry_timeout)
        while True:
            try:
                response = self._http.request(operation.method, operation.path, **operation.parts)
            except httpx.TransportError as error:
                wait = attempts.after_error(error)
            else:
                if response.is_success:
                    return operation.parse(response)
                wait = attempts.after_response(response)
            time.sleep(wait)

    def close(self) -> None:
        """Close the connections."""
        if "_http" in self.__dict__:
            self._http.close()


class AsyncConnection(_Connection):
    """A connection for asyncio. Tasks of one event loop may share it."""

    @cached_property
    def _http(self) -> httpx.AsyncClient:
        import httpx

        return httpx.AsyncClient(**self._options)

    async def run(self, operation: Operation[T]) -> T:
        """The result of an operation. Raises FacsimileError."""
        import httpx

        attempts = _Attempts(operation, self._base_url, self._retry_timeout)
        while True:
            try:
                response = await self._http.request(operation.method, operation.path, **operation.parts)
            except httpx.TransportError as error:
                wait = attempts.after_error(error)
            else:
                if response.is_success:
                    return operation.parse(response)
                wait = attempts.after_response(response)
            await asyncio.sleep(wait)

    async def close(self) -> None:
        """Close the connections."""
        if "_http" in self.__dict__:
            await self._http.aclose()


class _Attempts:
    """How long to wait before an operation is sent again, if at all.

    An overloaded or unreachable server is asked again until the timeout: after a random part of a wait that
    doubles each time ("full jitter", Brooker 2015), and no sooner than `Retry-After` says.
    """

    def __init__(self, operation: Operation[Any], base_url: str, timeout: float) -> None:
        self._once = operation.once
        self._base_url = base_url
        self._deadline = time.monotonic() + timeout
        self._longest = FIRST_WAIT

    def after_error(self, error: httpx.TransportError) -> float:
        """Seconds to wait after a failed connection. Raises ServerUnreachable."""
        import httpx

        if not self._once or isinstance(error, httpx.ConnectError):
            wait = self._wait(0.0)
            if wait is not None:
                return wait
        raise ServerUnreachable(f"{self._base_url}: {error or type(error).__name__}") from error

    def after_response(self, response: httpx.Response) -> float:
        """Seconds to wait after an error response. Raises its error."""
        problem = _problem(response)
        in_progress = problem.get("type") == "urn:facsimile:in-progress"
        if response.status_code in (429, 503) or in_progress:
            wait = self._wait(_seconds(response.headers.get("Retry-After", "")))
            if wait is not None:
                return wait
        raise error_of(response.status_code, problem)

    def _wait(self, least: float) -> float | None:
        wait = least + random.uniform(0, self._longest)  # noqa: S311
        self._longest = min(LONGEST_WAIT, 2 * self._longest)
        return wait if time.monotonic() + wait <= self._deadline else None


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    """The problem document of a response; a proxy may send something else."""
    try:
        data = response.json()
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0
