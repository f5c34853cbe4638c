"""Findings: a suspect's bytes that show a work, with the evidence and what people decided about them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import orjson

from facsimile.imaging.record import ImageRecord, Key, encoded
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Status
from facsimile.search.index.state.base import Entry, Ref, State, Wanted
from facsimile.search.match import Match, Verdict
from facsimile.workers.errors import FindingNotFound, QueueError
from facsimile.workers.ledger.chunks import now
from facsimile.workers.scanning.scans import Run

KIND = "finding"

#: how often a write is tried again when another process changed the same finding in between
_CONFLICTS = 20

#: longest comment in characters
MAX_COMMENT = 10_000

#: the site of a suspect that came from no web address
FILES = "files"


class Review(enum.StrEnum):
    """What people decided about a finding."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    LICENSED = "licensed"


@dataclass(frozen=True, slots=True)
class Hit:
    """A suspect in which a work was found."""

    suspect: ImageRecord
    match: Match


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, as its entry keeps it; see `docs/scanning.md` for the fields of its body."""

    entry: Entry

    @property
    def id(self) -> str:
        return self.entry.id

    @property
    def scan(self) -> str:
        return self.entry.term("scan")

    @property
    def state(self) -> Review:
        return Review(self.entry.term("state"))

    @property
    def suspect(self) -> Mapping[str, Any]:
        return self.entry.body["suspect"]  # type: ignore[no-any-return]

    @property
    def work(self) -> Mapping[str, Any]:
        return self.entry.body["work"]  # type: ignore[no-any-return]

    @property
    def suspect_keys(self) -> list[Key]:
        """The records that hold these bytes."""
        return [Key(*key) for key in self.entry.body["keys"]]

    @property
    def work_key(self) -> Key:
        return Key(self.work["collection"], self.work["id"])

    @property
    def sites(self) -> tuple[str, ...]:
        """The hosts that the suspect was met on."""
        return tuple(self.entry.terms["site"])

    def as_json(self) -> dict[str, Any]:
        """The finding as services read it."""
        body = {name: value for name, value in self.entry.body.items() if name != "keys"}
        if body["verdict"] != Verdict.SIMILAR and body["note"] == "same scene":
            # an earlier version kept the doubts of geometry where the hash had decided
            proof = (
                {**body["proof"], "finding": "copy", "probability": body["score"]} if body["proof"] else None
            )
            body |= {"note": "", "proof": proof}
        return {
            "finding": self.id,
            "scan": self.scan,
            "state": self.state.value,
            "sites": list(self.sites),
            "found": _iso(self.entry.number("found")),
            "changed": _iso(self.entry.number("changed")),
            **body,
        }


class Findings:
    """The findings in the state of an index."""

    def __init__(self, state: State) -> None:
        self._state = state

    def record(self, run: Run, hits: Iterable[Hit]) -> dict[tuple[Key, Key], Status]:
        """Keep what was found, as often as it is told; by suspect and work: added, updated or unchanged.

        The same bytes at several addresses, or under several ids, are one finding of a work. What people
        decided about a finding stays.
        """
        hits = list(hits)
        by_id: dict[str, list[Hit]] = {}
        for hit in hits:
            by_id.setdefault(_id(run.scan, hit), []).append(hit)
        outcomes: dict[str, Status] = {}
        for _ in range(_CONFLICTS):
            waiting = [id for id in by_id if id not in outcomes]
            if not waiting:
                return {
                    (hit.suspect.key, hit.match.record.key): outcomes[id]
                    for id, some in by_id.items()
                    for hit in some
                }
            self._record_once(run, {id: by_id[id] for id in waiting}, outcomes)
        raise QueueError("other processes kept changing the same findings: try again")

    def _record_once(self, run: Run, by_id: Mapping[str, list[Hit]], outcomes: dict[str, Status]) -> None:
        stored = self._state.get(Ref(KIND, id) for id in by_id)
        writes: list[Entry] = []
        for id, hits in by_id.items():
            before = stored.get(Ref(KIND, id))
            after = _entry(id, run, hits, before)
            if before and not _differs(before, after):
                outcomes[id] = Status.UNCHANGED
            else:
                writes.append(after)
        for written in self._state.put(writes) if writes else []:
            if written:
                outcomes[written.id] = Status.UPDATED if written.ref in stored else Status.ADDED

    def get(self, id: str) -> Finding:
        """One finding. Raises FindingNotFound."""
        entry = self._state.get([Ref(KIND, id)]).get(Ref(KIND, id))
        if entry is None:
            raise FindingNotFound(f"there is no finding {id}")
        return Finding(entry)

    def all(
        self, *, scan: str = "", states: Sequence[str] = (), work: str = "", site: str = "", run: str = ""
    ) -> Iterator[Finding]:
        """The findings that have all that is asked for: open ones before decided ones, the first found first.

        `work` is COLLECTION/ID, `site` a host, `run` the run that found them first.
        """
        self._state.refresh()
        seen: set[str] = set()  # one that is decided meanwhile is listed once
        for some in _in_order(states):
            for entry in self._state.all(_wanted(scan, some, work, site, run), order="found"):
                if entry.id not in seen:
                    seen.add(entry.id)
                    yield Finding(entry)

    def page(
        self,
        *,
        scan: str = "",
        states: Sequence[str] = (),
        work: str = "",
        site: str = "",
        limit: int,
        cursor: str | None,
    ) -> tuple[list[Finding], str | None]:
        """A part of them in the same order, and where the next begins (None at the end).

        One that is decided between two parts may come twice.
        """
        order = _in_order(states)
        place, _, within = (cursor or "0:").partition(":")
        if place not in map(str, range(len(order))):
            raise InvalidRequest(f"{(cursor or '')[:80]!r} is no cursor of this listing")
        found: list[Finding] = []
        for number in range(int(place), len(order)):
            wanted = _wanted(scan, order[number], work, site)
            part = self._state.find(wanted, order="found", limit=limit - len(found), cursor=within or None)
            found += map(Finding, part.entries)
            if part.cursor:
                return found, f"{number}:{part.cursor}"
            within = ""
            if len(found) == limit and number + 1 < len(order):
                return found, f"{number + 1}:"
        return found, None

    def states(self, scan: str) -> dict[str, int]:
        """How many findings of a scan are in each state of review, allowed ones included."""
        return self._state.counts(_wanted(scan), "state")

    def review(self, id: str, *, state: str = "", comment: str = "", reviewer: str = "") -> Finding:
        """Decide about a finding, or say something about it; each goes into its history.

        Raises FindingNotFound, and InvalidRequest for a state that there is none of.
        """
        if state and state not in set(Review):
            raise InvalidRequest(f"no state {state!r}: there are {', '.join(Review)}")
        if len(comment) > MAX_COMMENT:
            raise InvalidRequest(f"a comment has at most {MAX_COMMENT} characters")
        if not state and not comment:
            raise InvalidRequest("give a state or a comment")
        for _ in range(_CONFLICTS):
            entry = self.get(id).entry
            said = {"at": _iso(now()), "reviewer": reviewer, "state": state or None, "comment": comment}
            changed = entry.replaced(
                terms={**entry.terms, "state": (state or entry.term("state"),)},
                numbers={**entry.numbers, "changed": now()},
                body={
                    **entry.body,
                    "reviewer": reviewer or entry.body["reviewer"],
                    "history": [*entry.body["history"], said],
                },
            )
            if written := self._state.put([changed])[0]:
                return Finding(written)
        raise QueueError("other processes kept changing this finding: try again")


def _in_order(states: Sequence[str]) -> list[tuple[str, ...]]:
    """The states that are asked for (none: all), those that are listed first in front."""
    asked = tuple(states) or tuple(Review)
    opened = tuple(state for state in asked if state == Review.OPEN)
    decided = tuple(state for state in asked if state != Review.OPEN)
    return [some for some in (opened, decided) if some]


def _wanted(scan: str, states: Sequence[str] = (), work: str = "", site: str = "", run: str = "") -> Wanted:
    asked = {"scan": (scan,), "state": tuple(states), "work": (work,), "site": (site,), "run": (run,)}
    return Wanted(kind=KIND, terms={name: values for name, values in asked.items() if any(values)})


def _id(scan: str, hit: Hit) -> str:
    facts = [scan, *hit.match.record.key, hit.suspect.sha256]
    return sha256(orjson.dumps(facts)).hexdigest()[:24]


def _entry(id: str, run: Run, hits: Sequence[Hit], before: Entry | None) -> Entry:
    match = hits[0].match
    earlier = before.body if before else {}
    sources = [
        *earlier.get("suspect", {}).get("sources", ()),
        *(s for hit in hits for s in hit.suspect.sources),
    ]
    keys = [*map(tuple, earlier.get("keys", ())), *(tuple(hit.suspect.key) for hit in hits)]
    suspect = {**_facts(hits[0].suspect), "sources": list(dict.fromkeys(sources))}
    work = match.record
    return Entry(
        kind=KIND,
        id=id,
        terms={
            "scan": (run.scan,),
            "state": before.terms["state"] if before else (Review.OPEN.value,),
            "verdict": (match.verdict.value,),
            "work": (f"{work.collection}/{work.id}",),
            "site": tuple(dict.fromkeys(map(_site, suspect["sources"]))) or (FILES,),
            "run": before.terms["run"] if before else (run.id,),
        },
        numbers={"found": before.number("found") if before else now(), "changed": now()},
        body={
            "verdict": match.verdict.value,
            "score": round(match.score, 4),
            "hamming": match.hamming,
            "cosine": None if match.cosine is None else round(match.cosine, 4),
            "edit": match.edit,
            "note": match.note,
            "transform": match.transformed,
            "proof": match.proof.as_json() if match.proof else None,
            "suspect": suspect,
            "work": _facts(work),
            "evidence": {
                "suspect_sha256": hits[0].suspect.sha256,
                "work_sha256": work.sha256,
                "urls": suspect["sources"],
                "first_seen": earlier["evidence"]["first_seen"] if earlier else _iso(now()),
                "compared": _iso(now()),
                "run": run.id,
                **run.rules.as_json(),
            },
            "keys": [list(key) for key in dict.fromkeys(keys)],
            "reviewer": earlier.get("reviewer", ""),
            "history": earlier.get("history", []),
        },
        version=before.version if before else None,
    )


def _differs(before: Entry, after: Entry) -> bool:
    """Whether there is more to tell than that it was compared once more."""
    return _lasting(before) != _lasting(after)


def _lasting(entry: Entry) -> bytes:
    passing = ("compared", "run")
    evidence = {name: told for name, told in entry.body["evidence"].items() if name not in passing}
    return orjson.dumps({**entry.body, "evidence": evidence}, option=orjson.OPT_SORT_KEYS)


def _facts(record: ImageRecord) -> dict[str, Any]:
    """A record as a finding keeps it: all but thumbnail and vector."""
    facts = {name: value for name, value in record.as_json().items() if name != "gone"}  # it comes and goes
    return {**facts, "hash": encoded(record, ["bits"])["bits"]}


def _site(source: str) -> str:
    try:
        host = urlsplit(source).hostname if source.startswith(("http://", "https://")) else None
    except ValueError:  # an address in brackets that is none
        host = None
    return (host or FILES)[:255]


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
