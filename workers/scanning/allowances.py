"""The allow-list: suspects that may show works, and so are never reported.

It is applied when findings are shown, not when they are made. So a new entry counts at once for all findings,
and those of a removed entry come back.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import orjson

from facsimile.imaging.record import Key
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Index
from facsimile.search.index.state.base import Entry, EntryFilter, Ref, State
from facsimile.search.query import Filter
from facsimile.workers.ledger.chunks import now
from facsimile.workers.scanning.findings import Finding, Findings
from facsimile.workers.scanning.hosts import host_key, parse_site
from facsimile.workers.scanning.scans import Scans

KIND = "allowance"


class By(enum.StrEnum):
    """The subject of a condition of an allowance.

    `source`: a glob on whole addresses or paths, of a page that shows the suspect or of all its images.
    `site`: a host with its subdomains. `collection`: of suspects. `suspect`, `work`: a record, as ID or
    COLLECTION/ID.
    """

    SOURCE = "source"
    SITE = "site"
    COLLECTION = "collection"
    SUSPECT = "suspect"
    WORK = "work"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """One entry of the allow-list: it allows what meets all of its conditions. `scan` is empty where it
    applies to all scans."""

    where: Mapping[By, str]
    scan: str = ""
    note: str = ""
    at: datetime

    @property
    def id(self) -> str:
        """The same for the same allowance."""
        facts = sorted(self.where.items())
        named = [*facts[0], self.scan] if len(facts) == 1 else [*facts, self.scan]
        return sha256(orjson.dumps(named)).hexdigest()[:12]

    @property
    def words(self) -> str:
        """The conditions as text."""
        return ", ".join(f"{by} {pattern}" for by, pattern in self.where.items())

    def as_json(self) -> dict[str, Any]:
        """The JSON form of the allowance; `by` and `pattern` are null where it has several conditions."""
        by, pattern = next(iter(self.where.items())) if len(self.where) == 1 else (None, None)
        return {
            "allowance": self.id,
            "by": by,
            "pattern": pattern,
            "where": {condition.value: pattern for condition, pattern in self.where.items()},
            "scan": self.scan or None,
            "note": self.note,
            "at": self.at.isoformat(timespec="seconds"),
        }

    def covers(self, finding: Finding, key: Key, place: str | None) -> bool:
        """Whether the work of a finding may be shown by this record at this place (None: it has none)."""
        return all(_meets(by, pattern, finding, key, place) for by, pattern in self.where.items())


class Allowances:
    """The allow-list in the state of an index."""

    def __init__(self, state: State) -> None:
        self._state = state

    def add(self, where: Mapping[str, str], *, scan: str = "", note: str = "") -> Allowance:
        """Add an entry; idempotent.

        Hosts are normalised. Raises InvalidRequest for conditions that nothing or everything meets; `allow`
        also checks that what they name exists.
        """
        new = Allowance(where=_parse_conditions(where), scan=scan, note=note, at=datetime.now(UTC))
        data = new.as_json()
        body = {name: data[name] for name in ("by", "pattern", "where")}
        entry = Entry(kind=KIND, id=new.id, numbers={"at": now()}, body={**body, "scan": scan, "note": note})
        self._state.put([entry])
        return new

    def remove(self, ids: Iterable[str]) -> int:
        """Remove entries; returns how many existed."""
        found = self._state.get(Ref(KIND, id) for id in ids)
        self._state.delete(found)
        return len(found)

    def all(self) -> Iterator[Allowance]:
        """The list, oldest first."""
        self._state.refresh()
        for entry in self._state.all(EntryFilter(kind=KIND), order="at"):
            # entries of an earlier version have one condition
            where = entry.body.get("where") or {entry.body["by"]: entry.body["pattern"]}
            yield Allowance(
                where={By(by): pattern for by, pattern in where.items()},
                scan=entry.body["scan"],
                note=entry.body["note"],
                at=datetime.fromtimestamp(entry.number("at") / 1000, UTC),
            )

    def reported(self, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings that are not allowed.

        A finding whose suspect was found in several places is left out only where all of them are allowed.
        """
        allowed = list(self.all())
        for finding in findings:
            if not _allows([each for each in allowed if each.scan in ("", finding.scan)], finding):
                yield finding

    def states(self, scan: str) -> dict[str, int]:
        """The number of findings of a scan that are not allowed, in each state of review."""
        findings = Findings(self._state)
        counts = findings.states(scan)
        if not any(each.scan in ("", scan) for each in self.all()):
            return counts
        shown = Counter(finding.state.value for finding in self.reported(findings.all(scan=scan)))
        return {state: shown[state] for state in counts if shown[state]}


def allow(index: Index, where: Mapping[str, str], *, scan: str = "", note: str = "") -> Allowance:
    """Add an entry to the allow-list of an index.

    Raises InvalidRequest also where there is no such record or collection, among the suspects and works of
    the scan if one is named, and ScanNotFound where there is no such scan.
    """
    conditions = _parse_conditions(where)
    sides = Scans(index.state).get(scan) if scan else None
    for by in (By.COLLECTION, By.SUSPECT, By.WORK):
        within = () if sides is None else (sides.catalogue if by is By.WORK else sides.suspects,)
        if by in conditions and not _exists(index, by, conditions[by], within, scan):
            where_ = f"the collection {within[0]}" if within else index.location
            raise InvalidRequest(f"there is no {by} {conditions[by]} in {where_}")
    return Allowances(index.state).add(where, scan=scan, note=note)


def _parse_conditions(where: Mapping[str, str]) -> dict[By, str]:
    """The conditions in the form in which they are compared."""
    if unknown := set(where) - set(By):
        raise InvalidRequest(f"unknown condition {min(unknown)!r}: use {', '.join(By)}")
    if not where:
        raise InvalidRequest(f"give a condition: {', '.join(By)}")
    return {by: _parse_pattern(by, where[by]) for by in By if by in where}


def _parse_pattern(by: By, text: str) -> str:
    if by is By.SITE:
        return parse_site(text)
    pattern = text.strip() if by is By.SOURCE else text
    bare = pattern.lower().removeprefix("https").removeprefix("http")
    if not pattern or (by is By.SOURCE and not bare.strip("*?.:/[] ")):
        raise InvalidRequest(f"{text!r} would allow everything")
    return pattern


def _exists(index: Index, by: By, name: str, within: tuple[str, ...], scan: str) -> bool:
    """Whether there is such a record or collection, or a finding of one that was removed since."""
    if by is By.COLLECTION:
        if (not within or name in within) and index.count(Filter((name,))):
            return True
    elif _keys(index, name, within):
        return True
    found = Findings(index.state).all(scan=scan)
    return any(
        _meets(by, name, finding, key, None)
        for finding in found
        for key in (finding.suspect_keys if by is not By.WORK else [finding.work_key])
    )


def _keys(index: Index, name: str, within: tuple[str, ...]) -> list[Key]:
    """The records of a name, which is ID or COLLECTION/ID."""
    collection, _, id = name.partition("/")
    qualified = id and collection in (within or (collection,))
    return index.keys_of(name, within) or (index.keys_of(id, (collection,)) if qualified else [])


def _allows(allowed: list[Allowance], finding: Finding) -> bool:
    """Whether each place of each record of the suspect is covered."""
    places: list[str | None] = [*finding.places] or [None]
    keys = finding.suspect_keys
    return bool(keys) and all(
        any(each.covers(finding, key, place) for each in allowed) for key in keys for place in places
    )


def _meets(by: By, pattern: str, finding: Finding, key: Key, place: str | None) -> bool:
    match by:
        case By.WORK:
            met = _names(pattern, finding.work_key)
        case By.SUSPECT:
            met = _names(pattern, key)
        case By.COLLECTION:
            met = key.collection == pattern
        case By.SOURCE:
            images = finding.suspect["sources"]
            met = place is not None and (
                _fits(place, pattern) or all(_fits(image, pattern) for image in images)
            )
        case By.SITE:
            met = place is not None and _is_on(place, host_key(pattern))
    return met


def _is_on(source: str, site: str) -> bool:
    """Whether an address is on a site or a subdomain of it."""
    try:
        host = host_key(urlsplit(source).hostname or "")
    except ValueError:  # brackets without an IPv6 address
        return False
    return host == site or host.endswith(f".{site}")


def _names(pattern: str, key: Key) -> bool:
    return pattern in (key.id, f"{key.collection}/{key.id}")


def _fits(address: str, pattern: str) -> bool:
    return fnmatchcase(_lowered(address), _lowered(pattern))


def _lowered(address: str) -> str:
    """An address with its scheme and host in the form in which they are compared."""
    scheme, mark, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    if not mark:
        return address
    return f"{scheme.lower()}://{host.lower() if host.isascii() else host_key(host)}{slash}{path}"
