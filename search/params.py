"""The options of a search, as one value that validates itself, whoever fills it in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, get_args

from facsimile.imaging.describe import Probes
from facsimile.imaging.orientation import ORIENTATIONS
from facsimile.search.errors import InvalidRequest
from facsimile.search.query import Filter
from facsimile.search.ranking import Mode
from facsimile.search.sequences import listed

#: largest number of matches of one query
MAX_LIMIT = 1000

#: doubtful bits that each band may flip
MAX_PROBES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParams:
    """How to search. Raises InvalidRequest for a value that is not allowed.

    `limit`: largest number of matches, 1 to 1000. `mode`: `copies` of the image, or `similar` images, by
    their vectors alone. `collections`: search only these; empty: all. `filter`: only records with these
    values (see `facsimile.search.query.Filter`); several values of a key are alternatives. `text`: words of
    title and tags, fused with the image by reciprocal rank. `orientations`: turns and flips of the image to
    search for. `probes`: 0 to 3 bits nearest the median that each band also asks flipped, or `all` for every
    one-bit neighbour, with which no pair within Hamming distance 31 is missed (more terms, slower). `verify`:
    prove the best candidates by geometry, in the mode `copies`. `min_score`: smallest score of a match, 0 to
    1; matches by text alone have none. `panels`: without `verify`, compare the image with the panels of
    stored pages, too, for a caller that verifies them itself.
    """

    limit: int = 10
    mode: Mode = "copies"
    collections: str | Sequence[str] = ()
    filter: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    text: str = ""
    orientations: str | Sequence[str] = ORIENTATIONS
    probes: Probes = 2
    verify: bool = True
    min_score: float = 0.0
    panels: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "collections", listed(self.collections))
        object.__setattr__(self, "orientations", listed(self.orientations))
        if not 1 <= self.limit <= MAX_LIMIT:
            raise InvalidRequest(f"limit must be 1 to {MAX_LIMIT}, not {self.limit}")
        if self.mode not in get_args(Mode):
            raise InvalidRequest(f"mode must be {' or '.join(get_args(Mode))}, not {self.mode!r}")
        if not self.orientations:
            raise InvalidRequest(f"orientations must name at least one of {', '.join(ORIENTATIONS)}")
        if unknown := set(self.orientations) - set(ORIENTATIONS):
            raise InvalidRequest(f"unknown orientation {min(unknown)!r}: use {', '.join(ORIENTATIONS)}")
        if self.probes != "all" and self.probes not in range(MAX_PROBES + 1):
            raise InvalidRequest(f"probes must be 0 to {MAX_PROBES} or 'all', not {self.probes!r}")
        if not 0 <= self.min_score <= 1:
            raise InvalidRequest(f"min_score must be 0 to 1, not {self.min_score}")

    @classmethod
    def of(
        cls,
        *,
        limit: int,
        mode: Mode,
        collections: str | Sequence[str],
        filter: Mapping[str, str | Sequence[str]] | None,
        text: str,
        orientations: str | Sequence[str] | None,
        probes: Probes,
        verify: bool,
        min_score: float,
    ) -> Self:
        """From the keywords of `search`, where None stands for a default."""
        return cls(
            limit=limit,
            mode=mode,
            collections=collections,
            filter=filter or {},
            text=text,
            orientations=ORIENTATIONS if orientations is None else orientations,
            probes=probes,
            verify=verify,
            min_score=min_score,
        )

    @property
    def records(self) -> Filter:
        """The records that are searched."""
        terms = {key: listed(values) for key, values in self.filter.items()}
        return Filter(tuple(self.collections), terms)

    @property
    def verifies(self) -> bool:
        """Whether candidates are verified by geometry."""
        return self.verify and self.mode == "copies"
