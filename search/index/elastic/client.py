"""The connection to Elasticsearch. Every request passes one place, where the client's errors become ours."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from elastic_transport import (
    ConnectionError,
    ConnectionTimeout,
    NodeConfig,
    OrjsonSerializer,
    SerializationError,
    TlsError,
    TransportError,
    Urllib3HttpNode,
)
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError
from urllib3 import Timeout
from urllib3.exceptions import ConnectTimeoutError

from facsimile.search.errors import (
    IndexAlreadyExists,
    IndexAuthError,
    IndexNotFound,
    IndexReadOnly,
    IndexUnavailable,
    InvalidRequest,
    StoreError,
)
from facsimile.search.index.elastic.location import ElasticLocation
from facsimile.search.index.elastic.options import ElasticOptions
from facsimile.search.retry import Backoff

# its warnings repeat, with a traceback, what our errors say in a sentence; a program that configures logging
# still gets them
logging.getLogger("elastic_transport").addHandler(logging.NullHandler())

#: seconds until a host that does not even take the connection counts as down
CONNECT_TIMEOUT = 5

BLOCKED = "cluster_block_exception"
MISSING = "index_not_found_exception"

#: a copy of a shard left with its node, or moved to another one, while a search was under way (status 404)
MOVED = frozenset({"search_context_missing_exception", "shard_not_found_exception"})

#: statuses of a search that another copy of its shard may answer, or the same one a moment later; the
#: official client repeats whole requests that have one of these
MOMENTARY = frozenset({429, 502, 503, 504})

#: attempts at a search, and the pauses between them
ATTEMPTS = 5
BACKOFF = Backoff(first=0.2, longest=2.0, jitter=(0.5, 1.0))


class ElasticClient(Elasticsearch):
    """The official client, except that it raises the errors of `facsimile.search.errors` only.

    An answer that is not one of Elasticsearch's counts as no answer: a proxy, a load balancer or a captive
    portal sends pages of its own with status 200 while the server behind it is away.
    """

    server = "Elasticsearch"

    def perform_request(self, method: str, path: str, **keywords: Any) -> Any:
        send = super().perform_request
        retrying = BACKOFF.retrying(retry=_is_moved, attempts=ATTEMPTS)
        try:
            answer = retrying(send, method, path, **keywords)
        except (ApiError, TransportError) as error:
            # the cause stays away: its text may repeat headers or bodies
            raise error_of(error, self.server) from None
        if answer.meta.status < 300 and not _is_ours(method, answer):
            raise not_understood(self.server)
        return answer

    def close_view(self, id: str) -> None:
        """Close a point in time; one that is gone, or cannot be reached, ends by itself."""
        with suppress(StoreError):
            self.close_point_in_time(id=id)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A block that takes an answer apart: what it lacks raises IndexUnavailable."""
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise not_understood(self.server) from error


def _is_ours(method: str, answer: Any) -> bool:
    """Whether Elasticsearch can have sent this. It names itself each time; the client looks only once.

    An empty object is an answer to nothing but a GET of indices of which there are none.
    """
    if answer.meta.headers.get("x-elastic-product") != "Elasticsearch":
        return False
    return method == "HEAD" or (isinstance(answer.body, Mapping) and (method == "GET" or bool(answer.body)))


def not_understood(server: str) -> IndexUnavailable:
    """The error for an answer that Elasticsearch did not send."""
    return IndexUnavailable(
        f"{server} answers, but not as Elasticsearch does: check the address, or the proxy in front of it"
    )


class _Node(Urllib3HttpNode):
    """Gives up sooner on a connection than on an answer, and then lets another host have the request."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        patience = config.request_timeout or CONNECT_TIMEOUT
        self.pool.timeout = Timeout(connect=min(CONNECT_TIMEOUT, patience), read=patience)

    def perform_request(self, *args: Any, **keywords: Any) -> Any:
        try:
            return super().perform_request(*args, **keywords)
        except ConnectionTimeout as error:
            # nothing was sent, so it is safe to try again
            if isinstance(error.errors[0], ConnectTimeoutError):
                raise ConnectionError(str(error), errors=error.errors) from error
            raise


def connect(location: ElasticLocation, options: ElasticOptions) -> ElasticClient:
    """A client for the hosts of the location; nothing is sent yet. Raises InvalidRequest on wrong options."""
    secure: dict[str, Any] = {}
    if location.scheme == "https":
        secure = {"verify_certs": options.verify_certs, "ssl_show_warn": False}
        if options.ca_certs:
            _read_certificates(options.ca_certs)
            secure["ca_certs"] = options.ca_certs
        if options.ca_fingerprint:
            secure["ssl_assert_fingerprint"] = options.ca_fingerprint
    if options.api_key:
        secure["api_key"] = options.api_key
    elif options.username:
        secure["basic_auth"] = (options.username, options.password or "")
    client = ElasticClient(
        location.nodes,
        serializer=OrjsonSerializer(),
        node_class=_Node,
        request_timeout=options.timeout,
        max_retries=max(2, len(location.hosts)),
        retry_backoff_base=0.2,
        retry_backoff_cap=2,
        **secure,
    )
    client.server = location.server
    return client


def _read_certificates(path: str) -> None:
    """Raise InvalidRequest where the file cannot serve; the client would find out at its first request."""
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # not there, or no certificates in it
        raise InvalidRequest(f"the CA file {path} cannot be used: {error.strerror or error}") from error


def is_momentary(status: int, detail: object) -> bool:
    """Whether a search with this HTTP status and `error` may succeed when it is sent again."""
    return status in MOMENTARY or (status == 404 and not MOVED.isdisjoint(_kinds(detail)))


def _is_moved(error: BaseException) -> bool:
    if not isinstance(error, ApiError) or not isinstance(error.body, Mapping):
        return False
    return error.status_code == 404 and is_momentary(404, error.body.get("error"))


def _kinds(detail: object) -> set[str]:
    """The types of an error and of its causes."""
    if not isinstance(detail, Mapping):
        return set()
    causes = detail.get("root_cause")
    listed = [detail, *(causes if isinstance(causes, list) else [])]
    return {str(each.get("type", "")) for each in listed if isinstance(each, Mapping)}


def error_of(error: ApiError | TransportError, server: str) -> StoreError | InvalidRequest:
    """Our error for one of the client's."""
    if isinstance(error, UnsupportedProductError | SerializationError):
        return not_understood(server)
    if isinstance(error, ApiError):
        body = error.body if isinstance(error.body, Mapping) else {}
        return fault(error.status_code, body.get("error"), server)
    if isinstance(error, TlsError):
        return IndexAuthError(
            f"no safe connection to {server}: {_short(error)}; "
            "check http or https, the certificate of the server and the CA file"
        )
    if isinstance(error, ConnectionTimeout):
        return IndexUnavailable(f"{server} did not answer in time: is it overloaded or behind a firewall?")
    return IndexUnavailable(f"cannot reach {server}: is it running, and is the address right?")


def fault(status: int, detail: object, server: str) -> StoreError | InvalidRequest:
    """Our error for an HTTP status and the `error` of its body."""
    kind, reason = "", ""
    if isinstance(detail, Mapping):
        kind, reason = str(detail.get("type", "")), _reason(detail)
    for known, error in (
        (BLOCKED, IndexReadOnly(f"the index takes no writes now: {reason}")),
        (
            MISSING,
            IndexNotFound(
                f"there is no such index on {server}, or it was re-indexed for other signatures: "
                "make one with `facsimile index create`, or start this program anew"
            ),
        ),
        ("resource_already_exists_exception", IndexAlreadyExists(f"{server} already has it: {reason}")),
    ):
        if kind == known:
            return error
    if status in (401, 403):
        return IndexAuthError(f"{server} refuses these credentials ({status}): check the API key or user")
    if status in (408, 429) or status >= 500 or is_momentary(status, detail):
        return IndexUnavailable(f"{server} cannot serve the request at present ({status}): {reason or kind}")
    if status == 404:
        return StoreError(f"{server} does not know this request (404): check the address")
    # callers of the API see this: it does not name the address
    return InvalidRequest(f"Elasticsearch refuses the request ({status}): {reason or kind}")


def _reason(detail: Mapping[str, Any]) -> str:
    """The reason nearest to the cause, in one line."""
    causes = detail.get("root_cause")
    nearest = causes[0] if isinstance(causes, list) and causes else detail
    reason = nearest.get("reason", "") if isinstance(nearest, Mapping) else nearest
    return " ".join(str(reason).split())[:300]


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
