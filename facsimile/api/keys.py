"""API keys: who may ask what, and of which collections. Only hashes are kept.

A key is `fk_ID_SECRET`. The secret has 256 random bits, so its plain SHA-256 cannot be turned back, and no
slow password hash is needed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from facsimile.search.errors import InvalidRequest, RecordNotFound
from facsimile.search.index.state.base import Entry, EntryFilter, Ref, State
from facsimile.search.index.validation import COLLECTION

Scope = Literal["read", "write", "admin"]

SCOPES: tuple[Scope, ...] = get_args(Scope)

KIND = "key"

#: the entry that says that this index has had keys: it stays when the last one is revoked
_REQUIRED = Ref("key-policy", "required")

_FORM = re.compile(r"fk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed; its secret is nowhere. Without `collections` it counts for all of them.

    `read` searches and looks, `write` stores and deletes, `admin` does both, and sees metrics and jobs of
    all. `created_at` is in milliseconds since 1970.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    collections: tuple[str, ...]
    created_at: int


class Keys:
    """The keys of one index, kept in its state. Raises the errors of `facsimile.search.errors`."""

    def __init__(self, state: State) -> None:
        self._state = state

    def create(
        self, name: str, scopes: Iterable[str] = ("read",), collections: Sequence[str] = ()
    ) -> tuple[ApiKey, str]:
        """A new key, and its text, which cannot be had again. Raises InvalidRequest."""
        requested = set(scopes)
        if not requested or not requested <= set(SCOPES):
            raise InvalidRequest(f"the scopes of a key are some of {', '.join(SCOPES)}")
        if faulty := [each for each in collections if not COLLECTION.fullmatch(each)]:
            raise InvalidRequest(f"{faulty[0]!r} is no name for a collection")
        secret = secrets.token_urlsafe(32)
        key = ApiKey(
            id=secrets.token_hex(6),
            name=name,
            scopes=tuple(scope for scope in SCOPES if scope in requested),
            collections=tuple(dict.fromkeys(collections)),
            created_at=time.time_ns() // 1_000_000,
        )
        body = {
            "name": key.name,
            "digest": _digest(secret),
            "scopes": list(key.scopes),
            "collections": list(key.collections),
        }
        self._require()
        entry = Entry(kind=KIND, id=key.id, numbers={"created_at": key.created_at}, body=body)
        if self._state.put([entry]) == [None]:
            raise InvalidRequest("another key has this id; make it again")
        self._state.refresh()
        return key, f"fk_{key.id}_{secret}"

    def all(self) -> list[ApiKey]:
        """Every key, the oldest first."""
        return [_key(entry) for entry in self._state.all(EntryFilter(kind=KIND), order="created_at")]

    def required(self) -> bool:
        """Whether callers need a key: there is one, or there was one. Nobody is let in by a revocation."""
        return bool(self._state.get([_REQUIRED])) or self._state.count(EntryFilter(kind=KIND)) > 0

    def _require(self) -> None:
        """Remember that this index has had keys."""
        if not self._state.get([_REQUIRED]):
            self._state.put([Entry(kind=_REQUIRED.kind, id=_REQUIRED.id)])

    def revoke(self, id: str) -> None:
        """End a key. Raises RecordNotFound where there is none."""
        ref = Ref(KIND, id)
        if ref not in self._state.get([ref]):
            raise RecordNotFound(f"there is no key {id}")
        self._require()  # keys made by a version that did not remember this
        self._state.delete([ref])
        self._state.refresh()

    def verified(self, text: str) -> ApiKey | None:
        """The key that this text is, None where it is none (any more)."""
        form = _FORM.fullmatch(text)
        if form is None:
            return None
        id, secret = form.groups()
        entry = self._state.get([Ref(KIND, id)]).get(Ref(KIND, id))
        stored = entry.body["digest"] if entry else ""
        # compared even where there is no such key, so that the time does not tell which ids there are
        same = hmac.compare_digest(_digest(secret), stored or _digest(""))
        return _key(entry) if entry and same else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(entry: Entry) -> ApiKey:
    return ApiKey(
        id=entry.id,
        name=entry.body["name"],
        scopes=tuple(entry.body["scopes"]),
        collections=tuple(entry.body["collections"]),
        created_at=entry.number("created_at"),
    )
