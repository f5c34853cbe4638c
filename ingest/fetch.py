"""Images by HTTP: within limits, from public addresses only, and connected to the very address checked."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from email.utils import parsedate_to_datetime
from functools import partial
from types import TracebackType
from typing import Self

import httpcore
import httpx

from facsimile.ingest.addresses import Resolver, checked, resolve
from facsimile.ingest.encodings import BodyDamaged, Decoder, EncodingUnknown
from facsimile.ingest.errors import (
    FetchRejected,
    FetchTimeout,
    FetchUnavailable,
    SourceError,
    SourceNotAllowed,
    SourceTooLarge,
)
from facsimile.ingest.fetch_limits import FetchLimits
from facsimile.ingest.turns import HostPool
from facsimile.search.retry import Backoff

#: connections of one process over all hosts
MAX_CONNECTIONS = 32

#: pauses between attempts
BACKOFF = Backoff(first=0.5, jitter=(0.5, 1.0))

#: statuses that lead to another address, and the name under which it is handed to `Fetcher`
REDIRECTS = (301, 302, 303, 307, 308)
LOCATION = "location"

#: characters of an address in a sentence
MOST_SHOWN = 300

#: when the fetch in this thread must be over, on the monotonic clock
_deadline: ContextVar[float] = ContextVar("deadline")


class Fetcher:
    """Fetches images by http and https; safe to share between threads.

    Each hop's host is resolved once, refused unless every address is public, and connected to by address;
    TLS still verifies the name. Proxies and credentials of the environment are not used.
    """

    def __init__(self, limits: FetchLimits | None = None, *, resolver: Resolver = resolve) -> None:
        self._limits = limits or FetchLimits()
        self._transport = _Transport(_CheckedNetwork(self._limits.allow_private, resolver))
        self._pool = HostPool(MAX_CONNECTIONS, self._limits.per_host)

    def submit(self, url: str, *, within: float | None = None) -> Future[bytes]:
        """The body behind a URL, to come. A fetch that waits for its host holds no thread.

        `total_seconds` count from the first attempt; `within` bounds the time from now on, the wait included,
        in seconds. The future raises as `fetch`.
        """
        ends = None if within is None else time.monotonic() + within
        try:
            target = _allowed(url)
        except SourceError as error:
            refused: Future[bytes] = Future()
            refused.set_exception(error)
            return refused
        return self._pool.submit(target.host, partial(self._fetch, target, ends))

    def fetch(self, url: str) -> bytes:
        """The body behind a URL.

        Raises SourceNotAllowed, FetchRejected, SourceTooLarge; FetchUnavailable, FetchTimeout after retries.
        """
        return self.submit(url).result()

    def _fetch(self, target: httpx.URL, ends: float | None) -> bytes:
        deadline = self._begin(ends)

        def requested_pause(error: BaseException) -> float:
            return (
                min(error.retry_after, self._limits.max_pause) if isinstance(error, FetchUnavailable) else 0.0
            )

        retrying = BACKOFF.retrying(
            retry=lambda error: isinstance(error, FetchUnavailable),
            attempts=self._limits.attempts,
            timeout=deadline - time.monotonic(),
            minimum=requested_pause,
        )
        return retrying(self._attempt, target)

    def _begin(self, ends: float | None = None) -> float:
        """Set the deadline of the work in this thread."""
        deadline = time.monotonic() + self._limits.total_seconds
        deadline = deadline if ends is None else min(deadline, ends)
        _deadline.set(deadline)
        return deadline

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body once; the status of the answer, of which no more is read. Redirects are not followed.

        Raises SourceNotAllowed, FetchRejected, FetchUnavailable, FetchTimeout.
        """
        target = _allowed(url)
        return self._pool.submit(target.host, partial(self._post, target, body, headers)).result()

    def _post(self, target: httpx.URL, body: bytes, headers: Mapping[str, str]) -> int:
        self._begin()
        with (
            _translated(target),
            self._client().stream("POST", target, content=body, headers=dict(headers)) as response,
        ):
            return response.status_code

    def _attempt(self, target: httpx.URL) -> bytes:
        client = self._client()
        url = target
        with _translated(target):
            for _ in range(self._limits.max_redirects + 1):
                with client.stream("GET", url) as response:
                    location = response.extensions.get(LOCATION)
                    if response.status_code not in REDIRECTS or location is None:
                        _accept(response, target)
                        return _body(response, target, self._limits.max_bytes)
                    url = _redirected(url, location, target)
        raise FetchRejected(f"{_shown(target)} redirects more than {self._limits.max_redirects} times")

    def _client(self) -> httpx.Client:
        """One for each fetch: cookies live over redirects and never reach another image's request."""
        return httpx.Client(
            transport=self._transport,
            trust_env=False,
            headers={"User-Agent": self._limits.user_agent, "Accept-Encoding": "identity"},
            follow_redirects=False,
            timeout=httpx.Timeout(self._limits.read_seconds, connect=self._limits.connect_seconds),
        )

    def close(self) -> None:
        """Wait for the fetches that have begun, cancel those that wait, and close the connections."""
        self._pool.close()
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def _translated(target: httpx.URL) -> Iterator[None]:
    """Raise the errors of the network, and whatever else an odd answer leads to, as ours."""
    try:
        yield
    except SourceError:
        raise
    except httpcore.UnsupportedProtocol as error:
        raise SourceNotAllowed(f"{_shown(target)} leads to an address that is not http or https") from error
    except (httpcore.TimeoutException, httpx.TimeoutException) as error:
        raise FetchTimeout(f"{_shown(target)} took too long to answer") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, httpx.TransportError) as error:
        if _is_malformed(error):
            raise FetchRejected(f"{_shown(target)} sends a malformed answer ({error})") from error
        raise FetchUnavailable(f"{_shown(target)} cannot be fetched at present ({error})") from error
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise FetchRejected(f"{_shown(target)} cannot be fetched (unexpected error, {what})") from error


def _is_malformed(error: Exception) -> bool:
    """Whether the answer itself breaks the protocol; one that ended early may be whole the next time."""
    ended = re.search("closed|disconnected", str(error))
    return isinstance(error, httpcore.RemoteProtocolError) and not ended


def _allowed(url: str) -> httpx.URL:
    """The URL in parts. Raises SourceNotAllowed for one that cannot be fetched, whatever it looks like."""
    try:
        parsed = httpx.URL(url)
        host, port = parsed.host, parsed.port
    except (httpx.InvalidURL, ValueError) as error:
        raise SourceNotAllowed(f"this is not a URL that can be fetched ({error})") from error
    if parsed.scheme not in ("http", "https") or not host:
        raise SourceNotAllowed(f"{_shown(parsed)} is not an http or https address")
    if not _is_host(parsed.raw_host.decode("ascii", "replace")):
        raise SourceNotAllowed(f"{_shown(parsed)} does not name a host that can exist")
    if port is not None and not 0 < port < 65536:
        raise SourceNotAllowed(f"{_shown(parsed)} has a port outside 1 to 65535")
    if parsed.userinfo:
        raise SourceNotAllowed(f"{_shown(parsed)} carries a name or password, which is not allowed")
    return parsed


def _is_host(name: str) -> bool:
    """Whether DNS could hold a name (or it is an address): no resolver is asked for one that it could not."""
    if ":" in name:
        return True
    parts = name.removesuffix(".").split(".")
    return len(name) < 255 and all(re.fullmatch(r"[\w-]{1,63}", part, re.ASCII) for part in parts)


def _redirected(url: httpx.URL, location: bytes, target: httpx.URL) -> httpx.URL:
    """Where a redirect leads. Raises SourceNotAllowed."""
    try:
        text = location.decode("utf-8", "replace").strip()
        return _allowed(str(url.join(text)))
    except (SourceNotAllowed, httpx.InvalidURL, ValueError) as error:
        raise SourceNotAllowed(f"{_shown(target)} redirects to a refused address ({error})") from error


def _shown(url: httpx.URL) -> str:
    """A URL for people, without what may be a secret."""
    if not url.host:
        return f"{url.scheme}:…"
    port = "" if url.port is None else f":{url.port}"
    text = f"{url.scheme}://{url.host}{port}{url.path}"
    return f"{text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + '…'}{'?…' if url.query else ''}"


def _accept(response: httpx.Response, target: httpx.URL) -> None:
    status = response.status_code
    if status == 200:
        return
    sentence = f"{_shown(target)} answers {status} {response.reason_phrase}".rstrip()
    if status in (408, 425, 429) or status >= 500:
        failure = FetchUnavailable(sentence)
        failure.retry_after = _seconds(response.headers.get("Retry-After", ""))
        raise failure
    raise FetchRejected(sentence)


def _seconds(retry_after: str) -> float:
    """The header's wait in seconds: a number, or a date (RFC 9110, 10.2.3); 0 for anything else."""
    if retry_after.isdigit():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return 0.0


def _body(response: httpx.Response, target: httpx.URL, max_bytes: int) -> bytes:
    """The decoded body; what is unpacked is counted, so that neither a header nor a gzip bomb can lie."""
    body = bytearray()
    try:
        decoder = Decoder(response.headers.get("Content-Encoding", ""), max_bytes)
        for chunk in response.iter_raw():
            body += decoder.decode(chunk)
            if len(body) > max_bytes or decoder.overflowed:
                raise SourceTooLarge(f"{_shown(target)} has more than {max_bytes} bytes")
    except EncodingUnknown as error:
        raise FetchRejected(
            f"{_shown(target)} comes in the encoding {error}, which was not asked for"
        ) from error
    except BodyDamaged as error:
        raise FetchRejected(f"{_shown(target)} comes in damaged {error}") from error
    if not decoder.finished:
        raise FetchUnavailable(f"{_shown(target)} ends in the middle of its compressed body")
    return bytes(body)


class _Transport(httpx.BaseTransport):
    """httpx over a pool whose connections are opened by us (its own transport takes no network backend)."""

    def __init__(self, network: httpcore.NetworkBackend) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(trust_env=False),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS // 4,
            keepalive_expiry=10.0,
            network_backend=network,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        # taken out, since httpx parses it even where it must not follow, and raises on odd ones
        location = [(LOCATION, value) for name, value in answer.headers if name.lower() == b"location"][:1]
        return httpx.Response(
            answer.status,
            headers=[(name, value) for name, value in answer.headers if name.lower() != b"location"],
            stream=_Body(answer),
            extensions={**answer.extensions, **dict(location)},
        )

    def close(self) -> None:
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _CheckedNetwork(httpcore.NetworkBackend):
    """Opens connections to checked addresses only; the name is resolved once, here."""

    def __init__(self, allow_private: bool, resolver: Resolver) -> None:
        self._allow_private = allow_private
        self._resolver = resolver
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception | None = None
        for address in checked(host, port, allow_private=self._allow_private, resolver=self._resolver):
            try:
                stream = self._network.connect_tcp(
                    address, port, _left(timeout), local_address, socket_options
                )
                return _TimedStream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")


class _TimedStream(httpcore.NetworkStream):
    """A connection that ends with the deadline of the fetch: a drip of bytes would outlast any read limit."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)


def _left(timeout: float | None) -> float:
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time for this image is over")
    return left if timeout is None else min(timeout, left)
