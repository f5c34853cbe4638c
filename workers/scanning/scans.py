"""Scans and their runs in the state of an index.

A scan compares a collection of suspects with a catalogue of works, repeatedly. Each time it makes a run: a
job of the ledger whose chunks compare the records that are new on either side.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Self

import orjson

from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Signatures
from facsimile.search.index.state.base import Entry, EntryFilter, Ref, State
from facsimile.search.proof import Policy
from facsimile.search.ranking import Thresholds
from facsimile.search.secrets import without_url_secrets
from facsimile.workers.errors import ScanNotFound
from facsimile.workers.ledger.chunks import now
from facsimile.workers.ledger.jobs import validate_job_id

KIND = "scan"
RUN = "run"


class Phase(enum.StrEnum):
    """The phase of a scan: `reading` its suspects by the queue, `planning` what to compare, `comparing`."""

    IDLE = "idle"
    READING = "reading"
    PLANNING = "planning"
    COMPARING = "comparing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRules:
    """The rules of a comparison. They are part of the evidence; a run with other rules compares everything.

    `similar` makes findings of matches that are not proven, too. `program` is the version of the program,
    which is recorded and has no effect.
    """

    signatures: Signatures
    thresholds: Thresholds
    policy: Policy
    similar: bool = False
    program: str = ""

    @property
    def digest(self) -> str:
        """A digest that is equal for comparisons by the same rules."""
        facts = {**self.as_json(), "program": ""}
        return sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """The JSON form of the rules, as evidence holds it."""
        return {
            "signatures": asdict(self.signatures),
            "thresholds": asdict(self.thresholds),
            "verification": asdict(self.policy),
            "similar": self.similar,
            "program": self.program,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `as_json`. Limits of verification that there are no more are left out."""
        known = {limit.name for limit in fields(Policy)}
        limits = {name: value for name, value in data["verification"].items() if name in known}
        return cls(
            signatures=Signatures(**data["signatures"]),
            thresholds=Thresholds(**data["thresholds"]),
            policy=Policy(**limits),
            similar=data["similar"],
            program=data["program"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a scan, under the id of its job. It counts the records of either side, and the new ones."""

    id: str
    scan: str
    catalogue: str
    suspects: str
    rules: ScanRules
    at: datetime
    all_suspects: int = 0
    all_works: int = 0
    new_suspects: int = 0
    new_works: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """The number of records to compare."""
        return {
            "suspects": self.all_suspects,
            "works": self.all_works,
            "new_suspects": self.new_suspects,
            "new_works": self.new_works,
        }

    def entry(self) -> Entry:
        """The entry of the run; it never changes."""
        return Entry(
            kind=RUN,
            id=self.id,
            terms={"scan": (self.scan,)},
            numbers={"at": int(self.at.timestamp() * 1000), **self.counts},
            body={"catalogue": self.catalogue, "suspects": self.suspects, "rules": self.rules.as_json()},
        )

    @classmethod
    def from_entry(cls, entry: Entry) -> Self:
        """The run that an entry stores."""
        return cls(
            id=entry.id,
            scan=entry.term("scan"),
            catalogue=entry.body["catalogue"],
            suspects=entry.body["suspects"],
            rules=ScanRules.from_json(entry.body["rules"]),
            at=_time(entry.number("at")),
            all_suspects=entry.number("suspects"),
            all_works=entry.number("works"),
            new_suspects=entry.number("new_suspects"),
            new_works=entry.number("new_works"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan. `job` is the job in progress, of reading or of comparing; `run` the last finished run, by the
    rules of the digest `rules`. All records that this run listed have been compared.

    `sources` are read before each run, with `recheck` also addresses that are known. `every` is seconds
    between two starts (0: only by hand), `due` the time of the next. While reading or planning, one process
    has the scan until `lease`.
    """

    name: str
    catalogue: str
    suspects: str
    sources: tuple[str, ...] = ()
    similar: bool = False
    recheck: bool = False
    phase: Phase = Phase.IDLE
    job: str = ""
    run: str = ""
    rules: str = ""
    every: int = 0
    due: int = 0
    lease: int = 0
    begun: int = 0
    ended: int = 0
    created: int = 0
    version: Any = dataclasses.field(default=None, compare=False)

    def replaced(self, **changes: Any) -> Self:
        """A copy with these fields changed."""
        return dataclasses.replace(self, **changes)

    @property
    def status(self) -> str:
        """The phase, or `waiting` where a start is due and no worker has begun it."""
        if self.phase is Phase.IDLE and 0 < self.due <= now():
            return "waiting"
        return self.phase.value

    def as_json(self) -> dict[str, Any]:
        """The JSON form of the scan."""
        return {
            "scan": self.name,
            "catalogue": self.catalogue,
            "suspects": self.suspects,
            "sources": [without_url_secrets(source) for source in self.sources],
            "include_similar": self.similar,
            "phase": self.status,
            "job": self.job or None,
            "last_run": self.run or None,
            "created": _text(self.created),
            "begun": _text(self.begun),
            "ended": _text(self.ended),
            "every_seconds": self.every or None,
            "next": _text(self.due),
        }


class Scans:
    """The scans in the state of an index."""

    def __init__(self, state: State) -> None:
        self._state = state

    def get(self, name: str) -> Scan:
        """A scan. Raises ScanNotFound."""
        entry = self._state.get([Ref(KIND, name)]).get(Ref(KIND, name))
        if entry is None:
            raise ScanNotFound(f"there is no scan {name}")
        return _scan(entry)

    def all(self) -> Iterator[Scan]:
        """Every scan, the oldest first."""
        self._state.refresh()
        for entry in self._state.all(EntryFilter(kind=KIND), order="created"):
            yield _scan(entry)

    def under_way(self) -> Iterator[Scan]:
        """The scans that are not idle."""
        phases = tuple(phase.value for phase in Phase if phase is not Phase.IDLE)
        for entry in self._state.all(EntryFilter(kind=KIND, terms={"phase": phases})):
            yield _scan(entry)

    def due(self) -> Iterator[Scan]:
        """The scans that are due to start."""
        for entry in self._state.all(EntryFilter(kind=KIND, between={"due": (1, now())}), order="due"):
            yield _scan(entry)

    def save(self, scan: Scan) -> Scan | None:
        """Write a changed scan; None where another process changed it first."""
        (written,) = self._state.put([_entry(scan)])
        return _scan(written) if written else None

    def create_or_update(self, requested: Scan) -> Scan:
        """Create a scan, or update the sources and options of the one of this name.

        Raises InvalidRequest where it has another catalogue or other suspects, which cannot change.
        """
        validate_job_id(requested.name)
        if requested.catalogue == requested.suspects:
            raise InvalidRequest("suspects and works must be two collections; `duplicates` looks within one")
        while True:
            new = requested.replaced(created=now())
            if made := self.save(new):
                return made
            stored = self.get(requested.name)
            if (stored.catalogue, stored.suspects) != (requested.catalogue, requested.suspects):
                raise InvalidRequest(
                    f"the scan {requested.name} compares {stored.suspects} with {stored.catalogue}: "
                    "give this one another --name"
                )
            changed = stored.replaced(
                sources=requested.sources or stored.sources,
                similar=requested.similar,
                recheck=requested.recheck,
            )
            if saved := self.save(changed):
                return saved

    def schedule(self, name: str, seconds: int) -> Scan:
        """Let workers start a scan every `seconds`, from now on; 0 ends the schedule. Raises ScanNotFound."""
        while True:
            due = now() + 1000 * seconds if seconds else 0
            if saved := self.save(self.get(name).replaced(every=seconds, due=due)):
                return saved

    def run(self, id: str) -> Run:
        """A run. Raises ScanNotFound."""
        entry = self._state.get([Ref(RUN, id)]).get(Ref(RUN, id))
        if entry is None:
            raise ScanNotFound(f"there is no run {id}")
        return Run.from_entry(entry)


def _entry(scan: Scan) -> Entry:
    return Entry(
        kind=KIND,
        id=scan.name,
        terms={"phase": (scan.phase.value,)},
        numbers={
            **{name: getattr(scan, name) for name in ("created", "begun", "ended", "every", "lease")},
            **({"due": scan.due} if scan.due else {}),
        },
        body={
            "catalogue": scan.catalogue,
            "suspects": scan.suspects,
            "sources": list(scan.sources),
            "similar": scan.similar,
            "recheck": scan.recheck,
            "job": scan.job,
            "run": scan.run,
            "rules": scan.rules,
        },
        version=scan.version,
    )


def _scan(entry: Entry) -> Scan:
    return Scan(
        name=entry.id,
        catalogue=entry.body["catalogue"],
        suspects=entry.body["suspects"],
        sources=tuple(entry.body["sources"]),
        similar=entry.body["similar"],
        recheck=entry.body["recheck"],
        phase=Phase(entry.term("phase")),
        job=entry.body["job"],
        run=entry.body["run"],
        rules=entry.body["rules"],
        version=entry.version,
        **{name: entry.number(name) for name in ("created", "begun", "ended", "every", "due", "lease")},
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _text(milliseconds: int) -> str | None:
    return _time(milliseconds).isoformat(timespec="milliseconds") if milliseconds else None
