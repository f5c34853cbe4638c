"""One image to bring in, and what became of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any, Self

from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.record import DEFAULT_COLLECTION, WebPage
from facsimile.search.index.base import Status
from facsimile.search.index.validation import name_faults, page_faults, word_faults
from facsimile.search.secrets import without_url_secrets

#: characters of the source of an item that no index takes which are kept
MOST_SHOWN = 2000


@dataclass(frozen=True, slots=True)
class Item:
    """One image to bring in: where it is, and what its owner says about it. Can be pickled.

    `source` is an absolute path, a URL, or `ARCHIVE!/MEMBER`, or empty for bytes that came without one.
    `location` is where the bytes lie, if that is elsewhere: those of a crawl lie in its WARC file.
    Without an `id` the record is named by the SHA-256 of its bytes. `data` holds the bytes where the reader
    of the source had them in hand.
    """

    source: str
    id: str | None = None
    collection: str = DEFAULT_COLLECTION
    title: str = ""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    pages: tuple[WebPage, ...] = ()
    location: str = ""
    data: bytes | None = field(default=None, repr=False)

    def faults(self) -> Iterator[str]:
        """What keeps the item from being stored, whatever its bytes are."""
        yield from name_faults(self.id if self.id is not None else "no id", self.collection)
        yield from word_faults([self.source], self.title, self.tags, self.metadata)
        yield from page_faults(self.pages)

    def with_data(self, data: bytes) -> Item:
        """This item with its bytes."""
        return dataclasses.replace(self, data=data)

    @property
    def stored_at(self) -> str:
        """Where the bytes lie."""
        return self.location or self.source

    def without_data(self) -> Item:
        """This item as a reference only; one that its bytes alone named gets the id that they give it."""
        if self.data is None:
            return self
        id = sha256(self.data).hexdigest() if self.id is None and not self.source else self.id
        return dataclasses.replace(self, data=None, id=id)

    @property
    def place(self) -> str:
        """Where it is, as it may be shown: without passwords and signatures."""
        return without_url_secrets(self.source)

    @property
    def name(self) -> str:
        """What people know it by: its id, or else where it is."""
        return self.id or self.place


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item. `error_type` is the class of the error that ended it, `reason` its sentence.

    `changed` tells whether its place held other bytes before.
    """

    item: Item
    status: Status
    reason: str = ""
    error_type: type[FacsimileError] | None = None
    changed: bool = False

    @property
    def error(self) -> str:
        """The name of the error's class; empty without an error."""
        return self.error_type.__name__ if self.error_type else ""

    @property
    def transient(self) -> bool:
        """Whether the same item may succeed later without a change."""
        return self.error_type is not None and self.error_type.transient

    @classmethod
    def failed(cls, item: Item, error: FacsimileError) -> Self:
        """The outcome of an item that an error ended."""
        reason = without_url_secrets(str(error))
        return cls(item.without_data(), Status.FAILED, reason, type(error))


@dataclass(slots=True)
class Tally:
    """How many items came to which end; `interrupted` where the user ended the run before the last.

    Of the places that the index knew, `changed` ones hold other bytes now and `missing` ones are gone;
    `removed` records had no place left and were to be removed.
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    changed: int = 0
    missing: int = 0
    removed: int = 0
    interrupted: bool = False

    @property
    def total(self) -> int:
        """All items that came to an end."""
        return self.added + self.updated + self.unchanged + self.failed

    @property
    def counts(self) -> dict[str, int]:
        """Every number by its name."""
        return {name: value for name, value in asdict(self).items() if name != "interrupted"}

    def count(self, outcome: Outcome) -> None:
        """Count one more."""
        self.changed += outcome.changed
        setattr(self, outcome.status.value, getattr(self, outcome.status.value) + 1)


def without_words(item: Item) -> Item:
    """An item that can be kept to look at in place of one that no index takes: where it is, and no more."""
    return Item(shown(item.source)[:MOST_SHOWN])


def shown(name: str) -> str:
    """A file's name as text that can be stored: bytes that are not UTF-8 are written as escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
