"""Sending operations: again where that is safe, and every error as one of Facsimile's classes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from facsimile.client.errors import ServerUnreachable, error_of
from facsimile.client.operations import Operation
from facsimile.search.errors import InvalidRequest
from facsimile.search.retry import Backoff

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

#: pauses while a server is overloaded or unreachable; `Retry-After` may make them longer
BACKOFF = Backoff(first=0.25, longest=8.0)


class _Failure(Exception):
    """A failed attempt: its error, whether to retry, and after how many seconds at least."""

    def __init__(self, error: Exception, *, retry: bool, retry_after: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry = retry
        self.retry_after = retry_after


class _Connection:
    """The address of a server, its API key and timeouts in seconds."""

    def __init__(self, base_url: str, api_key: str | None, timeout: float, retry_timeout: float) -> None:
        if not base_url.startswith(("http://", "https://")):
            raise InvalidRequest(f"the address of a server begins with http:// or https://, not {base_url!r}")
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._options: dict[str, Any] = {"base_url": base_url, "headers": headers, "timeout": timeout}
        self._base_url = base_url
        self._rules: dict[str, Any] = {
            "retry": lambda error: isinstance(error, _Failure) and error.retry,
            "minimum": lambda error: error.retry_after if isinstance(error, _Failure) else 0.0,
            "timeout": retry_timeout,
        }

    def _unreachable(self, operation: Operation[Any], error: httpx.TransportError) -> _Failure:
        """The failure of a connection; an operation that must not run twice is sent again only if it was not
        received."""
        import httpx

        unreachable = ServerUnreachable(f"{self._base_url}: {error or type(error).__name__}")
        return _Failure(unreachable, retry=not operation.once or isinstance(error, httpx.ConnectError))


class Connection(_Connection):
    """A connection that blocks. Threads may share it."""

    @cached_property
    def _http(self) -> httpx.Client:
        import httpx

        return httpx.Client(**self._options)

    def run(self, operation: Operation[T]) -> T:
        """The result of an operation. Raises FacsimileError."""
        import httpx

        def send() -> T:
            try:
                response = self._http.request(operation.method, operation.path, **operation.parts)
            except httpx.TransportError as error:
                raise self._unreachable(operation, error) from error
            except UnicodeEncodeError:
                raise InvalidRequest(
                    "a text of the request is not valid Unicode (a lone surrogate)"
                ) from None
            return _result_of(operation, response)

        try:
            return BACKOFF.retrying(**self._rules)(send)
        except _Failure as failure:
            raise failure.error from failure.__cause__

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

        async def send() -> T:
            try:
                response = await self._http.request(operation.method, operation.path, **operation.parts)
            except httpx.TransportError as error:
                raise self._unreachable(operation, error) from error
            except UnicodeEncodeError:
                raise InvalidRequest(
                    "a text of the request is not valid Unicode (a lone surrogate)"
                ) from None
            return _result_of(operation, response)

        try:
            return await BACKOFF.retrying_async(**self._rules)(send)
        except _Failure as failure:
            raise failure.error from failure.__cause__

    async def close(self) -> None:
        """Close the connections."""
        if "_http" in self.__dict__:
            await self._http.aclose()


def _result_of(operation: Operation[T], response: httpx.Response) -> T:
    """The result that a response holds. Raises _Failure."""
    if response.is_success:
        return operation.parse(response)
    problem = _problem(response)
    in_progress = problem.get("type") == "urn:facsimile:in-progress"
    raise _Failure(
        error_of(response.status_code, problem),
        retry=response.status_code in (429, 503) or in_progress,
        retry_after=_seconds(response.headers.get("Retry-After", "")),
    )


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    """The problem document of a response; a proxy may send something else."""
    try:
        data = response.json()
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0
