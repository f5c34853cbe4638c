"""Webhooks: signed events, sent until the receiver accepts them or the tries are used up.

The headers are those of Standard Webhooks (standardwebhooks.com), for which receivers have libraries.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import orjson

from facsimile.imaging.errors import FacsimileError
from facsimile.ingest.fetch import Fetcher
from facsimile.ingest.fetch_limits import FetchLimits
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.state.base import Entry, EntryFilter, State
from facsimile.search.retry import Backoff
from facsimile.workers.ledger.chunks import now
from facsimile.workers.logging import logger

KIND = "delivery"

#: how often an event is sent at most, and the seconds before the second try; each later pause is three times
#: as long, so that the last try is some hours after the first
TRIES = 8
BACKOFF = Backoff(first=10.0, factor=3.0, jitter=(1.0, 1.5))

#: milliseconds of the lease of a process that sends an event
_LEASE = 60_000

PENDING, DELIVERED, GIVEN_UP = "pending", "delivered", "given up"

log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The receiver of events. The secret signs them; `whsec_` and base64, or any text."""

    url: str
    secret: str = field(repr=False)
    allow_private: bool = False

    key: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Raises InvalidRequest for a secret that is not valid."""
        prefix, mark, encoded = self.secret.partition("whsec_")
        try:
            key = base64.b64decode(encoded, validate=True) if mark and not prefix else self.secret.encode()
        except binascii.Error:
            raise InvalidRequest(
                "the secret of the webhook begins with whsec_, but what follows is not base64"
            ) from None
        if len(key) < 16:
            raise InvalidRequest("the secret of the webhook is shorter than 16 bytes")
        object.__setattr__(self, "key", key)


def sign(endpoint: Endpoint, id: str, seconds: int, body: bytes) -> dict[str, str]:
    """The headers of an event: its id, the time of sending in seconds since 1970, and their signature."""
    text = b".".join((id.encode(), str(seconds).encode(), body))
    signature = base64.b64encode(hmac.digest(endpoint.key, text, sha256)).decode()
    return {
        "Content-Type": "application/json",
        "webhook-id": id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{signature}",
    }


class Webhooks:
    """Events to be sent, in the state of an index."""

    def __init__(self, state: State, endpoint: Endpoint | None) -> None:
        self._state = state
        self._endpoint = endpoint

    def announce(self, id: str, kind: str, about: str, data: Callable[[], Mapping[str, Any]]) -> None:
        """Queue an event to be sent, unless there is no endpoint or an event of this id exists."""
        if self._endpoint is None:
            return
        body = {"type": kind, "id": id, "data": dict(data())}
        self._state.put(
            [
                Entry(
                    kind=KIND,
                    id=id,
                    terms={"state": (PENDING,), "about": (about,)},
                    numbers={"due": now(), "at": now()},
                    body={"event": orjson.dumps(body).decode(), "reason": ""},
                )
            ]
        )

    def deliver(self) -> int:
        """Send the events that are due, once; returns how many were accepted."""
        if self._endpoint is None:
            return 0
        self._state.refresh()
        due = self._state.find(
            EntryFilter(kind=KIND, terms={"state": (PENDING,)}, between={"due": (None, now() + 1)}),
            order="due",
        )
        with Fetcher(FetchLimits(total_seconds=20, allow_private=self._endpoint.allow_private)) as fetcher:
            return sum(self._send(entry, self._endpoint, fetcher) for entry in due.entries)

    def last(self, about: str) -> dict[str, Any] | None:
        """The delivery state of the latest event of a scan."""
        query = EntryFilter(kind=KIND, terms={"about": (about,)})
        for entry in self._state.find(query, order="at", descending=True, limit=1).entries:
            return {
                "state": entry.term("state"),
                "tries": entry.number("tries"),
                "reason": entry.body["reason"] or None,
            }
        return None

    def _send(self, entry: Entry, endpoint: Endpoint, fetcher: Fetcher) -> bool:
        tries = entry.number("tries") + 1
        numbers = {**entry.numbers, "tries": tries, "due": now() + _LEASE}
        (claimed,) = self._state.put([entry.replaced(numbers=numbers)])
        if claimed is None:  # another process sends it
            return False
        body = entry.body["event"].encode()
        try:
            status = fetcher.post(endpoint.url, body, sign(endpoint, entry.id, now() // 1000, body))
            reason = "" if 200 <= status < 300 else f"the receiver responded with status {status}"
        except FacsimileError as error:
            reason = str(error)
        if reason:
            log.warning("webhook_failed", id=entry.id, reason=reason, tries=tries)
        state = DELIVERED if not reason else GIVEN_UP if tries >= TRIES else PENDING
        pause = BACKOFF.pause(tries)
        self._state.put(
            [
                claimed.replaced(
                    terms={**claimed.terms, "state": (state,)},
                    numbers={**claimed.numbers, "due": now() + int(1000 * pause)},
                    body={**claimed.body, "reason": reason},
                )
            ]
        )
        return not reason
