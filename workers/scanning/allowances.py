"""The allow-list: suspects that may show works, and so are never reported.

It is asked when findings are shown, not when they are made. So it counts at once for all there is, and what
is taken off it comes back.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import orjson

from search.errors import InvalidRequest
from search.index.state import Entry, Ref, State, Wanted
from workers.chunks import now
from workers.scanning.findings import Finding

KIND = "allowance"


class By(enum.StrEnum):
    """What an allowance names.

    `source`: a glob on whole addresses or paths. `site`: a host with its subdomains. `collection`: of
    suspects. `suspect`, `work`: the id of a record.
    """

    SOURCE = "source"
    SITE = "site"
    COLLECTION = "collection"
    SUSPECT = "suspect"
    WORK = "work"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """One line of the allow-list; `scan` is empty where it counts for all of them."""

    by: By
    pattern: str
    scan: str = ""
    note: str = ""
    at: datetime

    @property
    def id(self) -> str:
        """The same for the same allowance."""
        return sha256(orjson.dumps([self.by, self.pattern, self.scan])).hexdigest()[:12]

    def as_json(self) -> dict[str, Any]:
        """The allowance as services read it."""
        return {
            "allowance": self.id,
            "by": self.by.value,
            "pattern": self.pattern,
            "scan": self.scan or None,
            "note": self.note,
            "at": self.at.isoformat(timespec="seconds"),
        }


class Allowances:
    """The allow-list in the state of an index."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, by: str, pattern: str, *, scan: str = "", note: str = "") -> Allowance:
        """Put something on the list; the same twice is there once. Raises InvalidRequest."""
        if by not in set(By):
            raise InvalidRequest(f"nothing is allowed by {by!r}: there are {', '.join(By)}")
        if not pattern.strip("*. "):
            raise InvalidRequest(f"{pattern!r} would allow everything")
        new = Allowance(by=By(by), pattern=pattern, scan=scan, note=note, at=datetime.now(UTC))
        self._state.put(
            [
                Entry(
                    kind=KIND,
                    id=new.id,
                    numbers={"at": now()},
                    body={"by": by, "pattern": pattern, "scan": scan, "note": note},
                )
            ]
        )
        return new

    def remove(self, ids: Iterable[str]) -> int:
        """Take lines off the list; how many there were."""
        found = self._state.get(Ref(KIND, id) for id in ids)
        self._state.delete(found)
        return len(found)

    def all(self) -> Iterator[Allowance]:
        """The list, oldest first."""
        self._state.refresh()
        for entry in self._state.all(Wanted(kind=KIND), order="at"):
            yield Allowance(
                by=By(entry.body["by"]),
                pattern=entry.body["pattern"],
                scan=entry.body["scan"],
                note=entry.body["note"],
                at=datetime.fromtimestamp(entry.number("at") / 1000, UTC),
            )

    def reported(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings that are not allowed.

        One whose suspect was met in several places goes only where all of them are allowed.
        """
        allowed = list(self.all())
        for finding in findings:
            if not _allows([each for each in allowed if each.scan in ("", finding.scan)], finding):
                yield finding


def _allows(allowed: list[Allowance], finding: Finding) -> bool:
    for each in allowed:
        if each.by is By.WORK and each.pattern == finding.work["id"]:
            return True
    keys = finding.suspect_keys
    named = {each.pattern for each in allowed if each.by is By.SUSPECT}
    collections = {each.pattern for each in allowed if each.by is By.COLLECTION}
    if keys and all(key.id in named or key.collection in collections for key in keys):
        return True
    places = [each for each in allowed if each.by in (By.SOURCE, By.SITE)]
    sources = finding.suspect["sources"]
    return bool(sources) and all(any(_holds(each, source) for each in places) for source in sources)


def _holds(allowance: Allowance, source: str) -> bool:
    if allowance.by is By.SOURCE:
        return fnmatchcase(_lowered(source), _lowered(allowance.pattern))
    try:
        host = urlsplit(source).hostname or ""
    except ValueError:  # an address in brackets that is none
        return False
    site = allowance.pattern.lower().strip(".")
    return host == site or host.endswith(f".{site}")


def _lowered(address: str) -> str:
    """An address with its scheme and host in small letters, which do not matter there."""
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{host.lower()}{slash}{path}" if mark else address
