"""What is asked of an index: plain values that both indices understand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.record import Description, ImageRecord

#: filter keys that name a field of the record; any other key names a path in the metadata
FIELDS = frozenset({"id", "sha256", "source", "format", "tags"})


#: a picture that is asked about: a described one, or a stored one that carries what it was described as
Asked = Description | ImageRecord


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records count. Empty means all.

    `collections`: any of them. `terms`: for each key, the record has at least one of the values. A key is
    one of `FIELDS` or a dotted path into the metadata (`camera.model`, also spelled `metadata.camera.model`);
    values compare as text, numbers as JSON writes them, true and false in small letters. `under`: a place
    that the record has or had begins so.
    """

    collections: tuple[str, ...] = ()
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    under: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.collections or self.terms or self.under)


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """One way to look at the query picture: its hash and the terms that a candidate must share one of.

    `bits` is 32 uint8. `orientation` names the turn or flip that was applied (see
    `facsimile.imaging.orientation`), `trimmed` says whether flat margins were cut before, `part` whether it
    is only a panel of the picture (see facsimile.imaging.panels), `panels` whether it is compared with the
    panels of stored pictures, too.
    """

    bits: NDArray[np.uint8]
    terms: tuple[str, ...]
    orientation: str = "upright"
    trimmed: bool = False
    part: bool = False
    panels: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One query picture, as an index sees it.

    `radius` is the largest Hamming distance of a candidate by hash; `limit` how many of those are wanted.
    `vector` is L2-normalised float32; the `nearest` records by cosine are wanted beside them.
    """

    variants: tuple[Variant, ...]
    radius: int
    limit: int
    filter: Filter = field(default_factory=Filter)
    vector: NDArray[np.float32] | None = None
    nearest: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a listing, and where the next part begins (None at the end)."""

    records: list[ImageRecord]
    cursor: str | None


def text_of(value: Any) -> str:
    """A metadata leaf as the text that filters compare."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
