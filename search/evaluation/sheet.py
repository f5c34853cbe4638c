"""Pictures side by side on one picture, for people to look at."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_SIDE = 200
_GAP = 12
_LINE = 20


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture (bytes of a file) with a line above and one below; `good` colours the line below."""

    data: bytes
    above: str
    below: str
    good: bool = True


def contact_sheet(rows: Sequence[Sequence[Cell]]) -> bytes:
    """A PNG with the rows of cells, each picture fitted into a square."""
    columns = max((len(row) for row in rows), default=0)
    height = _SIDE + 2 * _LINE + _GAP
    sheet = Image.new("RGB", (columns * (_SIDE + _GAP) + _GAP, len(rows) * height + _GAP), "white")
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            _draw(sheet, cell, _GAP + column * (_SIDE + _GAP), _GAP + row * height)
    file = io.BytesIO()
    sheet.save(file, "PNG", optimize=True)
    return file.getvalue()


def _draw(sheet: Image.Image, cell: Cell, left: int, top: int) -> None:
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(14)
    picture = Image.open(io.BytesIO(cell.data)).convert("RGB")
    picture.thumbnail((_SIDE, _SIDE))
    place = (left + (_SIDE - picture.width) // 2, top + _LINE + (_SIDE - picture.height) // 2)
    sheet.paste(picture, place)
    pen.text((left + _SIDE / 2, top), cell.above, fill="black", font=font, anchor="ma")
    pen.text(
        (left + _SIDE / 2, top + _LINE + _SIDE + 3),
        cell.below,
        fill="#1a7f37" if cell.good else "#cf222e",
        font=font,
        anchor="ma",
    )
