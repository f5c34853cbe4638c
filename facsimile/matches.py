"""What a search returns: a list of matches, which a notebook shows with their pictures."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic

from typing_extensions import TypeVar

from facsimile.imaging.errors import FacsimileError

if TYPE_CHECKING:
    from facsimile.imaging.record import ImageRecord, Record
    from facsimile.search.match import Match

#: what is known of the stored images
RecordT = TypeVar("RecordT", bound="Record", default="ImageRecord")

#: gives the JPEG of a stored image
Thumbnails = Callable[["Record"], bytes]

#: matches that a notebook shows
SHOWN = 50

_CELL = "text-align: left; vertical-align: top"


class Matches(list["Match[RecordT]"], Generic[RecordT]):
    """Matches, best first. `thumbnails` is asked only where a notebook shows them."""

    def __init__(self, matches: Iterable[Match[RecordT]] = (), thumbnails: Thumbnails | None = None) -> None:
        super().__init__(matches)
        self._thumbnails = thumbnails

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "no matches"

    def _repr_html_(self) -> str:
        """A table for notebooks: each match with its picture, verdict, edit and place."""
        if not self:
            return "<p>no matches</p>"
        rows = "".join(map(self._row, self[:SHOWN]))
        more = f"<p>and {len(self) - SHOWN} more</p>" if len(self) > SHOWN else ""
        return f"<table><tbody>{rows}</tbody></table>{more}"

    def _row(self, match: Match[RecordT]) -> str:
        about = (match.verdict, f"{match.score:.3f}", match.edit, match.note, match.record.place)
        cells = "".join(f'<td style="{_CELL}">{html.escape(str(each))}</td>' for each in about)
        return f'<tr><td style="{_CELL}">{self._picture(match.record)}</td>{cells}</tr>'

    def _picture(self, record: Record) -> str:
        if self._thumbnails is None:
            return ""
        try:
            data = b64encode(self._thumbnails(record)).decode()
        except FacsimileError:  # deleted since, or stored without one
            return ""
        name = html.escape(record.title or record.place, quote=True)
        style = "max-width: 128px; max-height: 96px"
        return f'<img src="data:image/jpeg;base64,{data}" alt="{name}" style="{style}">'
