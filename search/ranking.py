"""Candidates -> exact distances -> verdict -> order: the same for every index."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging import distance
from facsimile.imaging.describe import IN_PAGES, HashQuery
from facsimile.imaging.orientation import ORIENTATIONS, inverse, orient_bits
from facsimile.imaging.record import BITS, ImageRecord, Key, begins_alike
from facsimile.search.match import FIRST_PAGE_ALIKE, Match, Verdict
from facsimile.search.query import Asked
from facsimile.search.score import score

#: what a search looks for: copies of the picture, or pictures that look like it
Mode = Literal["copies", "similar"]

_ORDER = {verdict: place for place, verdict in enumerate(Verdict)}

#: share of the score that is left where nothing proves a copy: no such match claims to be certain
_OF_UNPROVEN = 0.5

#: constant of reciprocal rank fusion (Cormack, Clarke, Büttcher 2009)
_FUSION = 60


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where each verdict begins; `docs/accuracy.md` says how they were measured.

    `copy` is a Hamming distance of 256 that is accepted where pixels were not compared: unrelated pictures
    begin far above it, look-alikes of one scene just above. The vector alone makes no copy. `similar` and
    `similar_cosine` are where the answer ends.
    """

    copy: int = 48
    similar: int = 80
    similar_cosine: float = 0.5


@dataclass(frozen=True, slots=True)
class Nearest:
    """The nearest pair of hashes of two pictures: distance in bits, how the query had to be turned, whether
    margins were cut, and whether it is only a part of the query, or only a panel of the stored picture."""

    hamming: int
    orientation: str
    trimmed: bool
    part: bool = False
    panel: bool = False


def nearest(variants: Sequence[HashQuery], record: ImageRecord) -> Nearest | None:
    """The smallest Hamming distance over the variants and the record's hashes; the first wins a tie."""
    return _nearest_of_each(variants, [record])[0]


def _nearest_of_each(variants: Sequence[HashQuery], records: Sequence[ImageRecord]) -> list[Nearest | None]:
    """The same for each of some records, by one table of distances."""
    if not variants or not records:
        return [None] * len(records)
    wholes = [_wholes(record) for record in records]
    asked = np.stack([variant.bits for variant in variants])
    table = distance.hamming(asked[:, None, :], np.concatenate(wholes)[None, :, :])
    columns = iter(zip(table.min(axis=0).tolist(), table.argmin(axis=0).tolist(), strict=True))
    found: list[Nearest | None] = []
    for record, hashes in zip(records, wholes, strict=True):
        hamming, row, trimmed = min((*next(columns), column) for column in range(len(hashes)))
        variant = variants[row]
        near = Nearest(hamming, variant.orientation, variant.trimmed or trimmed == 1, variant.part)
        found.append(near if record.quality else None)
    return found


def _nearest_panel(variants: Sequence[HashQuery], record: ImageRecord) -> Nearest | None:
    """The same over the variants that ask for panels, and the panels of the record."""
    if not len(record.panels) or not record.quality:  # as most records
        return None
    asking = [variant for variant in variants if variant.panels]
    if not asking:
        return None
    asked = np.stack([variant.bits for variant in asking])
    table = distance.hamming(asked[:, None, :], record.panels[None, :, :]).min(axis=1)
    variant = asking[int(table.argmin())]
    return Nearest(int(table.min()), variant.orientation, variant.trimmed, panel=True)


def hash_distance(
    first: Asked, second: Asked, similar: int, *, turned: NDArray[np.uint8] | None = None
) -> int | None:
    """The Hamming distance that is shown for two pictures, whoever asks, and in whichever order.

    The smallest over the turns and margins of the whole pictures or, where that is more than `similar`, of
    the pictures in either of them. It needs nothing but what an index keeps; a query's own spectrum, which
    `nearest` goes by, turns a hash more exactly by a few bits. None where a picture is blank. `turned` has
    the hashes of the whole first picture in every orientation, if they are known.
    """
    if not (first.quality and second.quality):
        return None
    wholes = (_wholes(first), _wholes(second))
    whole = _least(_turned(wholes[0], ORIENTATIONS) if turned is None else turned, wholes[1])
    parts = [
        _least(_turned(each.panels, IN_PAGES), other)
        for each, other in ((first, wholes[1]), (second, wholes[0]))
        if len(each.panels)
    ]
    part = min(parts, default=BITS)
    return part if part <= similar < whole else whole


def shown(query: Asked, matches: Iterable[Match], thresholds: Thresholds) -> list[Match]:
    """The matches of a query with the distances that are shown."""
    turned = _turned(_wholes(query), ORIENTATIONS)
    return [
        match
        if match.hamming is None
        else dataclasses.replace(
            match, hamming=hash_distance(query, match.record, thresholds.similar, turned=turned)
        )
        for match in matches
    ]


def _wholes(picture: Asked) -> NDArray[np.uint8]:
    trimmed = [] if picture.bits_trimmed is None else [picture.bits_trimmed]
    return np.stack([picture.bits, *trimmed])


def _turned(hashes: NDArray[np.uint8], orientations: Sequence[str]) -> NDArray[np.uint8]:
    """Hashes [N, 32] in each orientation [M]: [M * N, 32]."""
    return np.concatenate([orient_bits(hashes, each) for each in orientations])


def _least(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> int:
    """The smallest distance of some hashes [N, 32] to others [M, 32]."""
    return int(distance.hamming(first[:, None], second[None]).min())


def judge(
    query: Asked,
    variants: Sequence[HashQuery],
    records: Iterable[ImageRecord],
    thresholds: Thresholds,
    mode: Mode = "copies",
) -> list[Match]:
    """The candidates that are near enough, each with its verdict, best first; ties go by key.

    `copies` orders by verdict and score; `similar` by cosine, and keeps every candidate that has one.
    """
    some = list(records)
    nears = _near(variants, some, thresholds)
    cosines = _cosines(query, some)
    found = [_judged(query, *each, thresholds, mode) for each in zip(some, nears, cosines, strict=True)]
    return sorted((match for match in found if match), key=_place if mode == "copies" else _by_cosine)


def accepted(matches: Iterable[Match], thresholds: Thresholds) -> list[Match]:
    """Those within the thresholds of the answer or proven, in the order of `copies`."""
    return sorted((match for match in matches if _within(match, thresholds)), key=_place)


def _within(match: Match, thresholds: Thresholds) -> bool:
    near = match.hamming is not None and match.hamming <= thresholds.similar
    return match.verdict is not Verdict.SIMILAR or near or _alike(match.cosine, thresholds, "copies")


def _judged(
    query: Asked,
    record: ImageRecord,
    near: Nearest | None,
    cosine: float | None,
    thresholds: Thresholds,
    mode: Mode,
) -> Match | None:
    hamming = near.hamming if near else None
    if query.sha256 == record.sha256 or query.pixels == record.pixels:
        return Match(record=record, verdict=Verdict.IDENTICAL, score=1.0, hamming=hamming, cosine=cosine)
    by_hash = hamming if hamming is not None else 257
    part = near is not None and (near.part or near.panel)
    whole = None if part else hamming
    likely = score(hamming, cosine)
    if part and by_hash <= thresholds.copy:
        # the vectors of whole pictures say nothing of a part, where its hash speaks for itself
        likely = max(likely, score(hamming, None))
    if whole is not None and whole <= thresholds.copy:
        verdict = Verdict.COPY
    elif by_hash <= thresholds.similar or _alike(cosine, thresholds, mode):
        verdict = Verdict.SIMILAR
    else:
        return None
    alike = begins_alike(query.pixels, record.pixels)  # of animations and documents nothing more is compared
    told = near if near and near.hamming <= thresholds.similar else None
    verdict = Verdict.SIMILAR if alike else verdict
    return Match(
        record=record,
        verdict=verdict,
        score=likely if verdict is Verdict.COPY else _OF_UNPROVEN * likely,
        note=FIRST_PAGE_ALIKE if alike else "",
        hamming=hamming,
        cosine=cosine,
        transform=_transform(told) if told else {},
    )


def unproven(match: Match) -> Match:
    """The match as one that nothing proves: similar, with half of the score of a copy."""
    if match.verdict is not Verdict.COPY:
        return match
    return dataclasses.replace(match, verdict=Verdict.SIMILAR, score=_OF_UNPROVEN * match.score)


def _near(
    variants: Sequence[HashQuery], records: Sequence[ImageRecord], thresholds: Thresholds
) -> list[Nearest | None]:
    """The nearest hashes of each record; parts of either picture count where the whole is too far."""
    wholes = [variant for variant in variants if variant.wholes and not variant.part]
    parts = [variant for variant in variants if variant.wholes and variant.part]
    found = _nearest_of_each(wholes, records)
    for place, (record, part) in enumerate(zip(records, _nearest_of_each(parts, records), strict=True)):
        whole = found[place]
        if whole and whole.hamming <= thresholds.similar:
            continue
        either = (part, _nearest_panel(variants, record))
        near = [each for each in either if each and each.hamming <= thresholds.similar]
        found[place] = min(near, key=lambda each: each.hamming, default=whole)
    return found


def _alike(cosine: float | None, thresholds: Thresholds, mode: Mode) -> bool:
    return cosine is not None and (mode == "similar" or cosine >= thresholds.similar_cosine)


def _cosines(query: Asked, records: Sequence[ImageRecord]) -> list[float | None]:
    """None where a vector is missing, or a picture is blank: all blank ones resemble each other."""
    vectors = [
        record.vector if query.vector is not None and query.quality and record.quality else None
        for record in records
    ]
    known = [vector for vector in vectors if vector is not None]
    if query.vector is None or not known:
        return [None] * len(records)
    cosines = iter(distance.cosine(query.vector, np.stack(known)).tolist())
    return [None if vector is None else next(cosines) for vector in vectors]


def _transform(near: Nearest) -> dict[str, object]:
    """What was done to the stored picture, as far as the hash can tell."""
    transform: dict[str, object] = {}
    if near.orientation != "upright":
        transform["orientation"] = inverse(near.orientation)
    if near.trimmed:
        transform["margins"] = True
    if near.part:
        transform["pasted"] = True
    if near.panel:
        transform["cut_out"] = True
    return transform


def _place(match: Match) -> tuple[int, float, int, bool, Key]:
    distance = 257 if match.hamming is None else match.hamming
    return _ORDER[match.verdict], -match.score, distance, match.record.is_gone, match.record.key


def _by_cosine(match: Match) -> tuple[bool, float, str, str]:
    cosine = match.cosine if match.cosine is not None else -1.0
    return match.verdict is not Verdict.IDENTICAL, -cosine, match.record.collection, match.record.id


def fused(matches: Sequence[Match], by_words: Sequence[ImageRecord]) -> list[Match]:
    """Two rankings as one, by reciprocal rank; records that only the words found get the verdict `text`."""
    ranks = {match.record.key: 1 / (_FUSION + place) for place, match in enumerate(matches)}
    found = {match.record.key: match for match in matches}
    for place, record in enumerate(by_words):
        ranks[record.key] = ranks.get(record.key, 0) + 1 / (_FUSION + place)
        found.setdefault(record.key, Match(record=record, verdict=Verdict.TEXT, score=0))
    return sorted(found.values(), key=lambda match: (-ranks[match.record.key], match.record.key))
