"""Small documents that an index keeps beside its records: jobs, chunks of work, findings, keys.

Whoever needs state that outlives a process and that several machines share puts it here, so that there is
no second database. What an entry means is the affair of its kind; an index only keeps, lists and adds up.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

#: entries per page of `all`
PAGE = 500


class Ref(NamedTuple):
    """What tells two entries apart: ids are unique within a kind, up to 512 bytes of UTF-8."""

    kind: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One document. `terms` are matched, `numbers` compared and added up, the `body` is only kept.

    Terms are short texts (up to 1,024 bytes of UTF-8), one or several under a name; numbers are integers of
    64 bits (times are milliseconds since 1970); the body is a JSON object of up to 20 MB. Kinds and names are
    1 to 64 of A-Z a-z 0-9 _ -. `version` is the index's token of what is stored, None for an entry that is
    new.
    """

    kind: str
    id: str
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    version: Any = field(default=None, compare=False)

    @property
    def ref(self) -> Ref:
        return Ref(self.kind, self.id)

    def term(self, name: str) -> str:
        """The only value of a term, empty where there is none."""
        return (self.terms.get(name) or ("",))[0]

    def number(self, name: str) -> int:
        """A number, 0 where there is none."""
        return self.numbers.get(name, 0)

    def replaced(self, **changes: Any) -> Self:
        """A copy with these fields changed."""
        return dataclasses.replace(self, **changes)

    def as_json(self) -> dict[str, Any]:
        """The entry without its version."""
        return {
            "kind": self.kind,
            "id": self.id,
            "terms": {name: list(values) for name, values in self.terms.items()},
            "numbers": dict(self.numbers),
            "body": dict(self.body),
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Self:
        """The entry that `as_json` returned, as a new one."""
        terms = {name: tuple(values) for name, values in row["terms"].items()}
        return cls(kind=row["kind"], id=row["id"], terms=terms, numbers=row["numbers"], body=row["body"])


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    """Which entries of a kind count.

    `terms`: for each name, the entry has at least one of the values. `between`: for each name, the entry
    has that number, at least the first and less than the second (None: no bound).
    """

    kind: str
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    between: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing:
    """Part of a listing, and where the next part begins (None at the end)."""

    entries: list[Entry]
    cursor: str | None


class State(ABC):
    """The entries of one index, for any number of processes at a time.

    `put`, `get` and `delete` work on what is stored now. `find`, `kinds`, `count`, `counts` and `sums` see
    every write that returned before the last `refresh()`, and without one every write within a second. State
    survives a reindex, and ends when its index is destroyed. Raises the errors of `facsimile.search.errors`.
    """

    @abstractmethod
    def put(self, entries: Sequence[Entry]) -> list[Entry | None]:
        """Write each entry if what is stored is still of its `version` (None: nothing is stored).

        The answer has, in their order, each entry with its new version, or None where another writer came
        first. Entries of one call have different refs. All that cannot be written otherwise raises; then
        some may have been written.
        """

    @abstractmethod
    def get(self, refs: Iterable[Ref]) -> dict[Ref, Entry]:
        """The entries under these refs, of any kinds; those that are missing are left out."""

    @abstractmethod
    def delete(self, refs: Iterable[Ref]) -> None:
        """Forget these entries, whatever their version; missing ones do no harm."""

    @abstractmethod
    def find(
        self,
        where: EntryFilter,
        *,
        order: str = "",
        descending: bool = False,
        limit: int = PAGE,
        cursor: str | None = None,
    ) -> Listing:
        """Entries ordered by a number and then by id, or by id alone; those without the number are left out.

        `descending` turns the whole order round. A page ends at 1,000 entries or 16 MB of bodies, if that is
        before the limit. The cursor survives writes and restarts; InvalidRequest where it is none of this
        listing's.
        """

    @abstractmethod
    def kinds(self) -> list[str]:
        """The kinds that there are entries of, in their order; sees what `find` sees."""

    def all(self, where: EntryFilter, *, order: str = "", descending: bool = False) -> Iterator[Entry]:
        """Every entry, in pages; entries written meanwhile may or may not come."""
        cursor: str | None = None
        while True:
            page = self.find(where, order=order, descending=descending, cursor=cursor)
            yield from page.entries
            cursor = page.cursor
            if cursor is None:
                return

    @abstractmethod
    def count(self, where: EntryFilter) -> int:
        """How many entries there are."""

    @abstractmethod
    def counts(self, where: EntryFilter, by: str) -> dict[str, int]:
        """How many entries have each value of a term (the 10,000 most frequent values)."""

    @abstractmethod
    def sums(self, where: EntryFilter, names: Sequence[str]) -> dict[str, int]:
        """The sum of each of these numbers over the entries, exact up to 2**53; 0 where none has it."""

    @abstractmethod
    def refresh(self) -> None:
        """Make every write that has returned visible to `find`, `count`, `counts`, `sums`."""
