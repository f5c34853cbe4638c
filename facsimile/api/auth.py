"""Authentication and authorization: the one place that knows about keys and tenants."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from facsimile.api.keys import SCOPES, ApiKey, Keys
from facsimile.api.problems import FORBIDDEN, UNAUTHENTICATED, Problem
from facsimile.api.rate_limit import RateLimiter
from facsimile.api.stages import Stages
from facsimile.imaging.record import DEFAULT_COLLECTION
from facsimile.search.errors import IndexUnavailable

#: seconds for which a verified key is cached: how long a revoked one may still be used
KEY_CACHE_SECONDS = 5.0

#: seconds for which the absence of keys is cached: how soon the first key becomes required
NO_KEYS_CACHE_SECONDS = 2.0

#: invalid keys that one address may send per second, and at once
FAILURES = 2.0
FAILURES_AT_ONCE = 40.0

_MAX_CACHED = 10_000

#: whether callers need a key: always, never, or once the index has had one. A key that is sent is checked
KeyPolicy = Literal["on", "off", "auto"]

#: limits a query to nothing: no collection has this name, whereas an empty list would mean all of them
NO_COLLECTION = ("",)


@dataclass(frozen=True, slots=True)
class Caller:
    """The sender of a request. `name` is used for rate limits and the log; empty `collections` mean all."""

    name: str
    scopes: tuple[str, ...] = SCOPES
    collections: tuple[str, ...] = ()

    def may(self, scope: str) -> bool:
        """Whether this caller has the scope."""
        return scope in self.scopes or "admin" in self.scopes

    def sees(self, collection: str) -> bool:
        """Whether this caller may see a collection."""
        return not self.collections or collection in self.collections

    def within(self, requested: Sequence[str] = ()) -> tuple[str, ...]:
        """The collections to search for a caller who names these (none: all that it may see)."""
        if not requested:
            return self.collections
        return tuple(each for each in requested if self.sees(each)) or NO_COLLECTION

    def target(self, requested: str | None) -> str:
        """The collection to write to; by default `default`, or the first that the caller may see."""
        if requested is None:
            return DEFAULT_COLLECTION if self.sees(DEFAULT_COLLECTION) else self.collections[0]
        if not self.sees(requested):
            raise Problem(FORBIDDEN, "this key may not write to that collection")
        return requested


class Authenticator:
    """Identifies callers by their keys; where none is required, a caller without one may do everything."""

    def __init__(self, keys: Keys, rate: float, policy: KeyPolicy = "on") -> None:
        self.rates = RateLimiter(rate)
        self._keys = keys
        self._needed = policy == "on"
        self._may_become_needed = policy == "auto"
        self._unguarded_until = 0.0
        self._failures = RateLimiter(FAILURES, FAILURES_AT_ONCE)
        self._cached: OrderedDict[bytes, tuple[float, ApiKey]] = OrderedDict()

    async def caller(self, text: str | None, address: str, stages: Stages) -> Caller:
        """The caller. Raises Problem where a required key is missing, and for an invalid key."""
        if text is not None:
            key = await self._verified(text, address, stages)
            return Caller(f"key {key.id}", key.scopes, key.collections)
        if await self._needs_key(stages):
            raise _unauthenticated(
                "send one as `Authorization: Bearer KEY`; `facsimile keys create NAME` makes one"
            )
        return Caller(f"address {address}")

    async def _verified(self, text: str, address: str, stages: Stages) -> ApiKey:
        digest = _digest(text)
        until, key = self._cached.get(digest, (0.0, None))
        cached = key is not None and time.monotonic() < until
        stages.metrics.cache("keys", hit=cached)
        if key is not None and cached:
            return key
        if key is None:  # else it was valid before: its owner cannot be locked out
            self._failures.check(address, "invalid API keys come from this address too often")
        key = await stages.ask(self._keys.verified, text)
        if key is None:
            self._cached.pop(digest, None)
            self._failures.charge(address)
            raise _unauthenticated("invalid API key")
        self._cached[digest] = (time.monotonic() + KEY_CACHE_SECONDS, key)
        self._cached.move_to_end(digest)
        if len(self._cached) > _MAX_CACHED:
            self._cached.popitem(last=False)
        return key

    async def _needs_key(self, stages: Stages) -> bool:
        """Once keys are required they stay so, for this process and for later ones.

        While the index is unavailable its last answer applies: nothing can be read from it meanwhile.
        """
        if self._may_become_needed and not self._needed and time.monotonic() >= self._unguarded_until:
            try:
                self._needed = await stages.ask(self._keys.required)
            except IndexUnavailable:
                if not self._unguarded_until:
                    raise
            self._unguarded_until = time.monotonic() + NO_KEYS_CACHE_SECONDS
        return self._needed


def _unauthenticated(detail: str) -> Problem:
    return Problem(UNAUTHENTICATED, detail, headers={"WWW-Authenticate": "Bearer"})


def _digest(text: str) -> bytes:
    """The name of a key in the cache: neither memory nor the time of a look-up reveals the key."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


_BEARER = HTTPBearer(auto_error=False, description="an API key, created by `facsimile keys create`")
_HEADER = APIKeyHeader(name="X-Api-Key", auto_error=False, description="the same key in another header")


async def _caller(
    request: Request,
    stages: Stages,
    required: SecurityScopes,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
    header: Annotated[str | None, Depends(_HEADER)],
) -> Caller:
    door: Authenticator = request.app.state.door
    text = header or (bearer.credentials if bearer else _password(request.headers.get("authorization")))
    address = request.client.host if request.client else "unknown"
    caller = await door.caller(text, address, stages)
    request.state.caller = caller.name
    for scope in required.scopes:
        if not caller.may(scope):
            raise Problem(FORBIDDEN, f"this requires a key with the scope {scope!r}")
    try:
        door.rates.take(caller.name)
    finally:
        request.state.rate = door.rates.standing(caller.name)
    return caller


def _password(authorization: str | None) -> str | None:
    """The password of HTTP Basic: clients without support for keys can carry one in their URL. Of any other
    scheme the whole value, which is not a valid key."""
    scheme, _, value = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return authorization or None
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return authorization


def charge(request: Request, caller: Caller, images: int) -> None:
    """Count the images of a batch beyond the first against the caller's rate."""
    door: Authenticator = request.app.state.door
    if images > 1:
        door.rates.take(caller.name, images - 1)
        request.state.rate = door.rates.standing(caller.name)


#: declares that a route requires a scope, and gives it the caller
AnyCaller = Annotated[Caller, Security(_caller)]
Reader = Annotated[Caller, Security(_caller, scopes=["read"])]
Writer = Annotated[Caller, Security(_caller, scopes=["write"])]
Admin = Annotated[Caller, Security(_caller, scopes=["admin"])]
