"""Which of the records of one picture to keep: the largest, and of equal ones the most likely original.

How many bytes a pixel has says nothing of that: a copy that was edited and saved anew often has more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import PurePosixPath

from facsimile.imaging.record import ImageRecord

#: when the file of a record was changed last; None where nobody knows
Modified = Callable[[ImageRecord], datetime | None]

#: formats that lose nothing by themselves; a WebP or a JPEG 2000 may, and does not say
_LOSSLESS = frozenset({"PNG", "BMP", "TIFF", "PPM", "QOI"})

#: what programs and people add to the names of copies
_OF_A_COPY = re.compile(
    r"(?<![^\W_])(copy|copies|copie|kopie|copia|dupe|duplicate|edit|edited|resaved|bearbeitet)(?![^\W_])"
    r"|\(\d{1,3}\)$",
    re.IGNORECASE,
)


class Preference:
    """The order of records that show one picture, the one to keep first."""

    def __init__(self, records: Sequence[ImageRecord], modified: Modified = lambda record: None) -> None:
        self._names = {_name(record) for record in records}
        self._modified = modified

    def order(self, records: Sequence[ImageRecord]) -> list[ImageRecord]:
        """The records, the one to keep first; the order in which they are given does not matter."""
        return sorted(
            records,
            key=lambda record: (
                record.is_gone,
                -_area(record),
                self._is_named_as_a_copy(record),
                not _is_lossless(record),
                self._since(record),
                record.key,
            ),
        )

    def reason(self, records: Sequence[ImageRecord]) -> str:
        """Why the first is preferred to the second, as what it is; empty where no file is left to keep."""
        keeper, *others = records
        if keeper.is_gone:
            return ""
        return self._difference(keeper, others[0]) if others else "the same bytes everywhere"

    def _difference(self, keeper: ImageRecord, rival: ImageRecord) -> str:
        if _area(keeper) != _area(rival):
            return f"the largest: {_size(keeper)}, the next {_size(rival)}"
        if self._is_named_as_a_copy(keeper) != self._is_named_as_a_copy(rival):
            names = f"{_name(keeper)}, the next {_name(rival)}"
            return f"the largest one that is not named as a copy: {names}"
        if _is_lossless(keeper) != _is_lossless(rival):
            return f"the largest one that is lossless: {keeper.format}, the next {rival.format}"
        if self._since(keeper) != self._since(rival):
            times = f"{_time(self._since(keeper))}, the next {_time(self._since(rival))}"
            return f"the oldest of the largest: {times}"
        return "the first by name of equal ones"

    def _since(self, record: ImageRecord) -> datetime:
        """Since when the picture is known to exist."""
        modified = self._modified(record)
        return min(modified, record.added_at) if modified else record.added_at

    def _is_named_as_a_copy(self, record: ImageRecord) -> bool:
        """Whether the name says so, or begins with the whole name of another: `cat-small` beside `cat`."""
        name = _name(record)
        if _OF_A_COPY.search(name):
            return True
        return any(name[:end] in self._names for end in _ends_of_parts(name))


def _ends_of_parts(name: str) -> list[int]:
    """Where what was added to a shorter name may begin."""
    return [match.start() for match in re.finditer(r"[\W_]", name) if match.start()]


def _name(record: ImageRecord) -> str:
    """The name of its file without the ending, or its id."""
    return PurePosixPath(record.present[0]).stem if record.present else record.id


def _area(record: ImageRecord) -> int:
    return record.width * record.height


def _size(record: ImageRecord) -> str:
    return f"{record.width}x{record.height}"


def _is_lossless(record: ImageRecord) -> bool:
    return record.format in _LOSSLESS


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}"
