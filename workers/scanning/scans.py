"""Scans and their runs, as the state of an index keeps them.

A scan compares a collection of suspects with a catalogue of works, again and again. Each time it makes a
run: a job of the ledger whose chunks compare what neither side had before.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Self

import orjson

from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Signatures
from facsimile.search.index.state.base import Entry, Ref, State, Wanted
from facsimile.search.proof import Policy
from facsimile.search.ranking import Thresholds
from facsimile.search.secrets import without_url_secrets
from facsimile.workers.errors import ScanNotFound
from facsimile.workers.ledger.chunks import now
from facsimile.workers.ledger.jobs import checked

KIND = "scan"
RUN = "run"


class Phase(enum.StrEnum):
    """Where a scan is: `reading` its suspects by the queue, `planning` what to compare, `comparing`."""

    IDLE = "idle"
    READING = "reading"
    PLANNING = "planning"
    COMPARING = "comparing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a comparison goes by. It is part of the evidence, and other rules compare everything anew.

    `similar` makes findings of matches that are not proven, too. `program` is the version of the program,
    which is told and changes nothing.
    """

    signatures: Signatures
    thresholds: Thresholds
    policy: Policy
    similar: bool = False
    program: str = ""

    @property
    def digest(self) -> str:
        """What tells whether two comparisons went by the same rules."""
        facts = {**self.as_json(), "program": ""}
        return sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """The rules as evidence tells them."""
        return {
            "signatures": asdict(self.signatures),
            "thresholds": asdict(self.thresholds),
            "verification": asdict(self.policy),
            "similar": self.similar,
            "program": self.program,
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The rules that `as_json` told."""
        return cls(
            signatures=Signatures(**told["signatures"]),
            thresholds=Thresholds(**told["thresholds"]),
            policy=Policy(**told["verification"]),
            similar=told["similar"],
            program=told["program"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a scan, under the id of its job. It counts the records of either side, and the new ones."""

    id: str
    scan: str
    catalogue: str
    suspects: str
    rules: Rules
    at: datetime
    all_suspects: int = 0
    all_works: int = 0
    new_suspects: int = 0
    new_works: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """How much there was to compare."""
        return {
            "suspects": self.all_suspects,
            "works": self.all_works,
            "new_suspects": self.new_suspects,
            "new_works": self.new_works,
        }

    def entry(self) -> Entry:
        """The run as the state keeps it; it never changes."""
        return Entry(
            kind=RUN,
            id=self.id,
            terms={"scan": (self.scan,)},
            numbers={"at": int(self.at.timestamp() * 1000), **self.counts},
            body={"catalogue": self.catalogue, "suspects": self.suspects, "rules": self.rules.as_json()},
        )

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """The run that an entry keeps."""
        return cls(
            id=entry.id,
            scan=entry.term("scan"),
            catalogue=entry.body["catalogue"],
            suspects=entry.body["suspects"],
            rules=Rules.of(entry.body["rules"]),
            at=_time(entry.number("at")),
            all_suspects=entry.number("suspects"),
            all_works=entry.number("works"),
            new_suspects=entry.number("new_suspects"),
            new_works=entry.number("new_works"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan. `job` is the job under way, of reading or of comparing; `run` the last that came to its end,
    by the rules of the digest `rules`. Everything that run saw on either side has been compared.

    `sources` are read before each run, with `recheck` also addresses that are known. `every` is seconds
    between two starts (0: only by hand), `due` the time of the next. While reading or planning, the scan is
    left to whoever does that until `lease`.
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
        """The phase, or `waiting` where a start is due and no worker has begun it yet."""
        if self.phase is Phase.IDLE and 0 < self.due <= now():
            return "waiting"
        return self.phase.value

    def as_json(self) -> dict[str, Any]:
        """The scan as services read it."""
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
        for entry in self._state.all(Wanted(kind=KIND), order="created"):
            yield _scan(entry)

    def under_way(self) -> Iterator[Scan]:
        """The scans that somebody has to bring further."""
        phases = tuple(phase.value for phase in Phase if phase is not Phase.IDLE)
        for entry in self._state.all(Wanted(kind=KIND, terms={"phase": phases})):
            yield _scan(entry)

    def due(self) -> Iterator[Scan]:
        """The scans whose time has come."""
        for entry in self._state.all(Wanted(kind=KIND, between={"due": (1, now())}), order="due"):
            yield _scan(entry)

    def save(self, scan: Scan) -> Scan | None:
        """Write a scan as it was changed; None where another process was faster."""
        (written,) = self._state.put([_entry(scan)])
        return _scan(written) if written else None

    def opened(self, wanted: Scan) -> Scan:
        """The scan of this name, made where there is none, with the sources and the schedule wanted.

        Raises InvalidRequest where it has another catalogue or other suspects: a scan keeps what it compares.
        """
        checked(wanted.name)
        if wanted.catalogue == wanted.suspects:
            raise InvalidRequest("suspects and works must be two collections; `duplicates` looks within one")
        while True:
            new = wanted.replaced(created=now())
            if made := self.save(new):
                return made
            stored = self.get(wanted.name)
            if (stored.catalogue, stored.suspects) != (wanted.catalogue, wanted.suspects):
                raise InvalidRequest(
                    f"the scan {wanted.name} compares {stored.suspects} with {stored.catalogue}: "
                    "give this one another --name"
                )
            changed = stored.replaced(
                sources=wanted.sources or stored.sources, similar=wanted.similar, recheck=wanted.recheck
            )
            if saved := self.save(changed):
                return saved

    def schedule(self, name: str, seconds: int) -> Scan:
        """Let workers start a scan every so many seconds, from now on; 0: no more. Raises ScanNotFound."""
        while True:
            due = now() + 1000 * seconds if seconds else 0
            if saved := self.save(self.get(name).replaced(every=seconds, due=due)):
                return saved

    def run(self, id: str) -> Run:
        """A run. Raises ScanNotFound."""
        entry = self._state.get([Ref(RUN, id)]).get(Ref(RUN, id))
        if entry is None:
            raise ScanNotFound(f"there is no run {id}")
        return Run.of(entry)


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
