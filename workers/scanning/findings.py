"""Findings: a suspect's bytes that show a work, with the evidence and the review."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from facsimile.imaging.record import ImageRecord, Key, WebPage, encoded, joined_pages
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Status
from facsimile.search.index.state.base import Entry, EntryFilter, Ref, State
from facsimile.search.match import Match, Verdict
from facsimile.workers.errors import FindingNotFound, QueueError
from facsimile.workers.ledger.chunks import now
from facsimile.workers.scanning.scans import Run

KIND = "finding"

#: how often a write is retried after a conflict with another process
_CONFLICTS = 20

#: longest comment in characters
MAX_COMMENT = 10_000

#: the site of a suspect that came from no web address
FILES = "files"


class Review(enum.StrEnum):
    """The state of review of a finding."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    DISMISSED = "dismissed"
    LICENSED = "licensed"


@dataclass(frozen=True, slots=True)
class Hit:
    """A suspect in which a work was found."""

    suspect: ImageRecord
    match: Match


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding; see `docs/scanning.md` for the fields of its JSON form.

    `suspect` and `work` are the records as they were when they were compared, `suspect_keys` the records that
    hold the bytes of the suspect, `sites` the hosts of its pages, or else of its addresses. `found` and
    `changed` are in milliseconds since 1970.
    """

    id: str
    scan: str
    state: Review
    verdict: Verdict
    score: float
    hamming: int | None
    cosine: float | None
    edit: str
    note: str
    transform: Mapping[str, Any] | None
    proof: Mapping[str, Any] | None
    suspect: Mapping[str, Any]
    work: Mapping[str, Any]
    evidence: Mapping[str, Any]
    suspect_keys: tuple[Key, ...]
    sites: tuple[str, ...]
    reviewer: str
    history: Sequence[Mapping[str, Any]]
    found: int
    changed: int

    @property
    def work_key(self) -> Key:
        return Key(self.work["collection"], self.work["id"])

    @property
    def places(self) -> list[str]:
        """Where the suspect is used: the pages that show it, else the addresses of the image."""
        return _places(self.suspect)

    @classmethod
    def from_entry(cls, entry: Entry) -> Self:
        """The finding that an entry stores."""
        body = dict(entry.body)
        keys = body.pop("keys")
        verdict = Verdict(body.pop("verdict"))
        if verdict is not Verdict.SIMILAR and body["note"] == "same scene":
            # an earlier version kept the doubts of geometry where the hash had decided
            if body["proof"]:
                body["proof"] = {**body["proof"], "finding": "copy", "probability": body["score"]}
            body["note"] = ""
        return cls(
            id=entry.id,
            scan=entry.term("scan"),
            state=Review(entry.term("state")),
            verdict=verdict,
            suspect_keys=tuple(Key(*key) for key in keys),
            sites=tuple(entry.terms["site"]),
            found=entry.number("found"),
            changed=entry.number("changed"),
            **body,
        )

    def as_json(self) -> dict[str, Any]:
        """The JSON form of the finding."""
        return {
            "finding": self.id,
            "scan": self.scan,
            "state": self.state.value,
            "sites": list(self.sites),
            "found": _iso(self.found),
            "changed": _iso(self.changed),
            "verdict": self.verdict.value,
            **{name: getattr(self, name) for name in _PLAIN},
        }


#: fields whose JSON form is their value
_PLAIN = (
    *("score", "hamming", "cosine", "edit", "note", "transform", "proof"),
    *("suspect", "work", "evidence", "reviewer", "history"),
)


class Findings:
    """The findings in the state of an index."""

    def __init__(self, state: State) -> None:
        self._state = state

    def record(self, run: Run, hits: Iterable[Hit]) -> dict[tuple[Key, Key], Status]:
        """Store hits as findings; returns by suspect and work whether they were added, updated or unchanged.

        Idempotent. The same bytes at several addresses, or under several ids, are one finding of a work. The
        review of a finding stays.
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
        return Finding.from_entry(self._stored(id))

    def _stored(self, id: str) -> Entry:
        entry = self._state.get([Ref(KIND, id)]).get(Ref(KIND, id))
        if entry is None:
            raise FindingNotFound(f"there is no finding {id}")
        return entry

    def all(
        self, *, scan: str = "", states: Sequence[str] = (), work: str = "", site: str = "", run: str = ""
    ) -> Iterator[Finding]:
        """The findings that meet all conditions: open ones before decided ones, the first found first.

        `work` is COLLECTION/ID, `site` a host, `run` the run that found them first.
        """
        self._state.refresh()
        seen: set[str] = set()  # one that is decided meanwhile is listed once
        for some in _in_order(states):
            for entry in self._state.all(_query(scan, some, work, site, run), order="found"):
                if entry.id not in seen:
                    seen.add(entry.id)
                    yield Finding.from_entry(entry)

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
        """A page of them in the same order, and the cursor of the next (None at the end).

        One that is decided between two pages may come twice.
        """
        order = _in_order(states)
        place, _, within = (cursor or "0:").partition(":")
        if place not in map(str, range(len(order))):
            raise InvalidRequest(f"{(cursor or '')[:80]!r} is not a cursor of this listing")
        found: list[Finding] = []
        for number in range(int(place), len(order)):
            query = _query(scan, order[number], work, site)
            part = self._state.find(query, order="found", limit=limit - len(found), cursor=within or None)
            found += map(Finding.from_entry, part.entries)
            if part.cursor:
                return found, f"{number}:{part.cursor}"
            within = ""
            if len(found) == limit and number + 1 < len(order):
                return found, f"{number + 1}:"
        return found, None

    def states(self, scan: str) -> dict[str, int]:
        """The number of findings of a scan in each state of review, allowed ones included."""
        return self._state.counts(_query(scan), "state")

    def review(self, id: str, *, state: str = "", comment: str = "", reviewer: str = "") -> Finding:
        """Set the state of a finding, or comment on it; both are kept in its history.

        Raises FindingNotFound, and InvalidRequest for an unknown state.
        """
        if state and state not in set(Review):
            raise InvalidRequest(f"unknown state {state!r}: use {', '.join(Review)}")
        if len(comment) > MAX_COMMENT:
            raise InvalidRequest(f"a comment has at most {MAX_COMMENT} characters")
        if not state and not comment:
            raise InvalidRequest("give a state or a comment")
        for _ in range(_CONFLICTS):
            entry = self._stored(id)
            decision = {"at": _iso(now()), "reviewer": reviewer, "state": state or None, "comment": comment}
            changed = entry.replaced(
                terms={**entry.terms, "state": (state or entry.term("state"),)},
                numbers={**entry.numbers, "changed": now()},
                body={
                    **entry.body,
                    "reviewer": reviewer or entry.body["reviewer"],
                    "history": [*entry.body["history"], decision],
                },
            )
            if written := self._state.put([changed])[0]:
                return Finding.from_entry(written)
        raise QueueError("other processes kept changing this finding: try again")


def _in_order(states: Sequence[str]) -> list[tuple[str, ...]]:
    """The requested states (none: all) in two groups, in the order in which they are listed."""
    requested = tuple(states) or tuple(Review)
    open_ = tuple(state for state in requested if state == Review.OPEN)
    decided = tuple(state for state in requested if state != Review.OPEN)
    return [some for some in (open_, decided) if some]


def _query(
    scan: str, states: Sequence[str] = (), work: str = "", site: str = "", run: str = ""
) -> EntryFilter:
    terms = {"scan": (scan,), "state": tuple(states), "work": (work,), "site": (site,), "run": (run,)}
    return EntryFilter(kind=KIND, terms={name: values for name, values in terms.items() if any(values)})


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
    pages = joined_pages(
        [
            *map(WebPage.from_json, earlier.get("suspect", {}).get("pages", ())),
            *(page for hit in hits for page in hit.suspect.pages),
        ]
    )
    suspect = {
        **_facts(hits[0].suspect),
        "sources": list(dict.fromkeys(sources)),
        "pages": [page.as_json() for page in pages],
    }
    work = match.record
    return Entry(
        kind=KIND,
        id=id,
        terms={
            "scan": (run.scan,),
            "state": before.terms["state"] if before else (Review.OPEN.value,),
            "verdict": (match.verdict.value,),
            "work": (f"{work.collection}/{work.id}",),
            "site": tuple(dict.fromkeys(map(_site, _places(suspect)))) or (FILES,),
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
    """Whether more has changed than the time and run of the comparison."""
    return _lasting(before) != _lasting(after)


def _lasting(entry: Entry) -> bytes:
    passing = ("compared", "run")
    evidence = {name: value for name, value in entry.body["evidence"].items() if name not in passing}
    return orjson.dumps({**entry.body, "evidence": evidence}, option=orjson.OPT_SORT_KEYS)


def _facts(record: ImageRecord) -> dict[str, Any]:
    """The fields of a record that a finding stores: all but thumbnail and vector."""
    facts = {name: value for name, value in record.as_json().items() if name != "gone"}  # it comes and goes
    return {**facts, "hash": encoded(record, ["bits"])["bits"]}


def _places(suspect: Mapping[str, Any]) -> list[str]:
    # findings of an earlier version have no pages
    return [page["url"] for page in suspect.get("pages", ())] or list(suspect["sources"])


def _site(source: str) -> str:
    try:
        host = urlsplit(source).hostname if source.startswith(("http://", "https://")) else None
    except ValueError:  # an address in brackets that is none
        host = None
    return (host or FILES)[:255]


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
