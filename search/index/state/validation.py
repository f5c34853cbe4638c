"""What both indices do alike with the entries of their state: what they refuse, bodies, cursors."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import orjson

from facsimile.imaging.record import MAX_ID_BYTES
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.state.base import Entry, EntryFilter, Ref
from facsimile.search.index.validation import check_texts, json_faults, text_faults

#: most entries of a page, and the bytes of bodies at which it ends even if there are more
MOST_ENTRIES = 1000
PAGE_BYTES = 16_000_000

#: values of a term that `counts` tells, and that are asked for at once
MOST_VALUES = 10_000
MOST_ALTERNATIVES = 65_536

#: longest value of a term, in bytes of UTF-8
MAX_TERM_BYTES = 1024

#: largest body in bytes of JSON, and the deepest nesting
MAX_BODY_BYTES = 20_000_000
MAX_BODY_DEPTH = 100

#: kinds, and names of terms and numbers, are chosen by programs; to Elasticsearch they are parts of fields
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

_LONG = range(-(2**63), 2**63)


def bodies_of(entries: Sequence[Entry]) -> list[bytes]:
    """The bodies as JSON. Raises InvalidRequest where an index cannot keep one of the entries."""
    if len({entry.ref for entry in entries}) < len(entries):
        raise InvalidRequest("two entries of one call have the same kind and id")
    bodies: list[bytes] = []
    for entry in entries:
        fault = next(_faults(entry), "")
        if not fault:
            body = orjson.dumps(dict(entry.body))
            fault = f"the body has {len(body)} bytes of JSON" if len(body) > MAX_BODY_BYTES else ""
            bodies.append(body)
        if fault:
            raise InvalidRequest(f"{entry.kind[:80]!r} {entry.id[:80]!r} cannot be kept: {fault}")
    return bodies


def check_filter(where: EntryFilter, *names: str) -> None:
    """Raise InvalidRequest where no index could look for this, or for terms or numbers of these names."""
    fault = next(_filter_faults(where, names), "")
    if fault:
        raise InvalidRequest(f"nothing can be listed by this: {fault}")


def _filter_faults(where: EntryFilter, names: Sequence[str]) -> Iterator[str]:
    yield from _name_faults(where.kind, *where.terms, *where.between, *names)
    for name, values in where.terms.items():
        if len(values) > MOST_ALTERNATIVES:
            yield f"the term {name} has {len(values)} alternatives; at most {MOST_ALTERNATIVES} are taken"
        for value in values:
            yield from text_faults("a term", value, MAX_TERM_BYTES)
    for name, bounds in where.between.items():
        yield from (fault for bound in bounds if bound is not None for fault in _number_faults(name, bound))


def distinct(refs: Iterable[Ref]) -> list[Ref]:
    """The refs without repetitions; raises InvalidRequest where one is not valid Unicode."""
    some = list(dict.fromkeys(refs))
    check_texts(text for ref in some for text in ref)
    return some


def _name_faults(*names: str) -> Iterator[str]:
    for name in names:
        if not _NAME.fullmatch(name):
            yield f"{name[:80]!r} is no name: 1 to 64 of A-Z a-z 0-9 _ - beginning with a letter or a digit"


def _number_faults(name: str, number: object) -> Iterator[str]:
    if type(number) is not int or number not in _LONG:
        yield f"the number {name} is no integer of 64 bits"


def _faults(entry: Entry) -> Iterator[str]:
    yield from _name_faults(entry.kind, *entry.terms, *entry.numbers)
    if not entry.id:
        yield "the id is empty"
    for what, text, most in (
        ("the id", entry.id, MAX_ID_BYTES),
        *(("a term", value, MAX_TERM_BYTES) for values in entry.terms.values() for value in values),
    ):
        if "\0" in text:
            yield f"{what} holds a NUL character"
        yield from text_faults(what, text, most)
    for name, number in entry.numbers.items():
        yield from _number_faults(name, number)
    for fault in json_faults(dict(entry.body), MAX_BODY_DEPTH):
        yield f"the body {fault}"


class Place(NamedTuple):
    """Where a listing stopped: the number it is ordered by (0 where by id alone) and the id."""

    number: int
    id: str


def cursor_of(where: EntryFilter, order: str, descending: bool, place: Place) -> str:
    """A place in a listing, as opaque text."""
    return base64.urlsafe_b64encode(orjson.dumps([where.kind, order, descending, *place])).decode()


def place_of(where: EntryFilter, order: str, descending: bool, cursor: str) -> Place:
    """The place of a cursor; raises InvalidRequest on any other text, and on a cursor of another listing."""
    try:
        *listing, number, id = orjson.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (ValueError, TypeError):
        listing, number, id = [], 0, ""
    ours = listing == [where.kind, order, descending]
    if not ours or type(number) is not int or number not in _LONG or not isinstance(id, str):
        raise InvalidRequest(f"{cursor[:80]!r} is not a cursor of this listing")
    return Place(number, id)
