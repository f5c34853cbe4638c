"""Candidates -> exact distances -> verdict -> order: the same for every index."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from imaging import distance
from imaging.orientation import inverse
from imaging.record import ImageRecord
from search.match import Match, Verdict
from search.query import Variant

_ORDER = {verdict: place for place, verdict in enumerate(Verdict)}

#: constant of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009)
_FUSION = 60


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Largest Hamming distances of 256 for each verdict; `docs/accuracy.md` says how they were measured.

    `copy` accepts unaided: unrelated pictures begin far above it, look-alikes of one scene just above.
    `similar` is where the answer ends.
    """

    copy: int = 48
    similar: int = 80


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest pair of hashes of two pictures: distance in bits, and how the query had to be turned."""

    hamming: int
    orientation: str
    trimmed: bool


def nearest(variants: Sequence[Variant], record: ImageRecord) -> Nearest | None:
    """The smallest Hamming distance over the variants and the record's hashes; the first wins a tie."""
    if not variants or not record.quality:
        return None
    stored = [record.bits] if record.bits_trimmed is None else [record.bits, record.bits_trimmed]
    asked = np.stack([variant.bits for variant in variants])
    table = distance.hamming(asked[:, None, :], np.stack(stored)[None, :, :])
    row, column = np.unravel_index(int(np.argmin(table)), table.shape)
    variant = variants[int(row)]
    return Nearest(int(table[row, column]), variant.orientation, variant.trimmed or int(column) == 1)


def score(hamming: int, thresholds: Thresholds) -> float:
    """A number in 0..1 that falls with the distance: one half midway between `copy` and `similar`."""
    middle = (thresholds.copy + thresholds.similar) / 2
    return 1 / (1 + math.exp((hamming - middle) / 6))


def judge(
    sha256: str,
    pixels: str,
    variants: Sequence[Variant],
    records: Iterable[ImageRecord],
    thresholds: Thresholds,
) -> list[Match]:
    """The candidates that are near enough, each with its verdict, best first; ties go by key."""
    matches = []
    for record in records:
        near = nearest(variants, record)
        hamming = near.hamming if near else None
        if sha256 == record.sha256 or pixels == record.pixels:
            matches.append(Match(record=record, verdict=Verdict.IDENTICAL, score=1.0, hamming=hamming))
        elif near is not None and near.hamming <= thresholds.similar:
            matches.append(
                Match(
                    record=record,
                    verdict=Verdict.COPY if near.hamming <= thresholds.copy else Verdict.SIMILAR,
                    score=score(near.hamming, thresholds),
                    hamming=near.hamming,
                    transform=_transform(near),
                )
            )
    return sorted(matches, key=_place)


def _transform(near: Nearest) -> dict[str, object]:
    """What was done to the stored picture, as far as the hash can tell."""
    transform: dict[str, object] = {}
    if near.orientation != "upright":
        transform["orientation"] = inverse(near.orientation)
    if near.trimmed:
        transform["margins"] = True
    return transform


def _place(match: Match) -> tuple[int, float, int, str, str]:
    distance = 257 if match.hamming is None else match.hamming
    return _ORDER[match.verdict], -match.score, distance, match.record.collection, match.record.id


def fused(matches: Sequence[Match], by_words: Sequence[ImageRecord]) -> list[Match]:
    """Two rankings as one, by reciprocal rank; records that only the words found get the verdict `text`."""
    ranks = {match.record.key: 1 / (_FUSION + place) for place, match in enumerate(matches)}
    found = {match.record.key: match for match in matches}
    for place, record in enumerate(by_words):
        ranks[record.key] = ranks.get(record.key, 0) + 1 / (_FUSION + place)
        found.setdefault(record.key, Match(record=record, verdict=Verdict.TEXT, score=0))
    return sorted(found.values(), key=lambda match: (-ranks[match.record.key], match.record.key))
