"""Dead letters: accepted items that failed for good, with the reason, until they are redriven or deleted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.message import format_item, item_of
from facsimile.search.index.state.base import Entry, EntryFilter, Ref, State
from facsimile.search.secrets import without_url_secrets
from facsimile.workers.ledger.kinds import DEAD_LETTER

#: characters kept of a message that could not be parsed
RAW_KEPT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One dead letter. `item` is None where the message could not be parsed; `raw` is its text then. `kind`
    is that of the chunk (`facsimile.workers.ledger.chunks.ChunkKind`)."""

    id: str
    job: str
    reason: str
    error: str
    at: datetime
    item: Item | None = None
    trusted: bool = False
    kind: str = ""
    raw: str = ""

    @property
    def name(self) -> str:
        """The display name of the item; empty for a message that could not be parsed."""
        return self.item.without_data().name if self.item else ""

    def as_json(self) -> dict[str, Any]:
        """The JSON form of the letter, without inline images."""
        item = format_item(self.item.without_data()) if self.item else {}
        return {
            "letter": self.id,
            "job": self.job,
            "name": self.name,
            "reason": self.reason,
            "error": self.error,
            "at": self.at.isoformat(timespec="seconds"),
            **item,
            **({"source": self.item.place} if self.item else {}),
            **({"raw": self.raw} if self.raw else {}),
        }


class DeadLetters:
    """The dead letters in the state of an index."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, letters: Iterable[Entry]) -> None:
        """Store letters; those that exist already stay as they are."""
        self._state.put(list(letters))

    def all(self, job: str = "") -> Iterator[DeadLetter]:
        """The letters of a job, or of all, oldest first."""
        for entry in self._state.all(_wanted(job), order="at"):
            yield _letter(entry)

    def page(self, job: str, *, cursor: str | None, limit: int) -> tuple[list[DeadLetter], str | None]:
        """A page of the letters of a job, oldest first, and the cursor of the next."""
        found = self._state.find(_wanted(job), order="at", limit=limit, cursor=cursor)
        return [_letter(entry) for entry in found.entries], found.cursor

    def count(self, job: str = "") -> int:
        """How many letters there are."""
        return self._state.count(_wanted(job))

    def get(self, ids: Iterable[str]) -> list[DeadLetter]:
        """The letters of these ids; missing ones are left out."""
        return [_letter(entry) for entry in self._state.get(Ref(DEAD_LETTER, id) for id in ids).values()]

    def drop(self, ids: Iterable[str]) -> None:
        """Delete letters."""
        self._state.delete([Ref(DEAD_LETTER, id) for id in ids])


def letter_of(
    job: str, chunk: str, place: int, outcome: Outcome, *, trusted: bool, kind: str = "ingest"
) -> Entry:
    """The letter of an item that failed; the same item of the same chunk always has the same id."""
    return Entry(
        kind=DEAD_LETTER,
        id=f"{chunk}#{place}",
        terms={"job": (job,), "error": (outcome.error,)},
        numbers={"at": int(time.time() * 1000)},
        body={
            "item": format_item(outcome.item),
            "reason": outcome.reason,
            "trusted": trusted,
            "work": str(kind),
        },
    )


def unreadable_letter(job: str, id: str, raw: bytes, reason: str) -> Entry:
    """The letter of a message that is not valid."""
    return Entry(
        kind=DEAD_LETTER,
        id=id,
        terms={"job": (job,), "error": ("MessageError",)},
        numbers={"at": int(time.time() * 1000)},
        body={
            "raw": without_url_secrets(raw.decode("utf-8", "backslashreplace"))[:RAW_KEPT],
            "reason": without_url_secrets(reason),
        },
    )


def _wanted(job: str) -> EntryFilter:
    return EntryFilter(kind=DEAD_LETTER, terms={"job": (job,)} if job else {})


def _letter(entry: Entry) -> DeadLetter:
    item = entry.body.get("item")
    return DeadLetter(
        id=entry.id,
        job=entry.term("job"),
        reason=entry.body["reason"],
        error=entry.term("error"),
        at=datetime.fromtimestamp(entry.number("at") / 1000, UTC),
        item=item_of(item) if item else None,
        trusted=entry.body.get("trusted", False),
        kind=entry.body.get("work", ""),
        raw=entry.body.get("raw", ""),
    )
