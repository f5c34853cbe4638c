"""Thresholds for a wanted precision: from searches for edited stored images, or from labelled matches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.describe import describe_many
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.models.base import Model
from facsimile.imaging.record import ImageRecord
from facsimile.search.calibration import Calibration
from facsimile.search.evaluation.attacks import attack
from facsimile.search.evaluation.metrics import interval
from facsimile.search.finder import Finder
from facsimile.search.index.base import Index
from facsimile.search.match import Match, Verdict
from facsimile.search.params import SearchParams
from facsimile.search.query import Filter

#: fewest images that thresholds are taken from
LEAST_IMAGES = 20

#: edits that are searched for together
_TOGETHER = 16

#: candidate values of each threshold that are tried
_STEPS = 60

#: the 95 % quantile of the normal distribution, two-sided
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class LabelledMatch:
    """A match whose truth is known. `right`: whether both are the same picture. `image` tells apart the
    images that matches come from, for intervals. `copy`: whether it was called one. `agreement`: that of its
    proof, None without one."""

    right: bool
    image: int
    copy: bool
    score: float
    hamming: int | None
    agreement: float | None

    @classmethod
    def of(cls, match: Match, *, right: bool, image: int) -> LabelledMatch:
        return cls(
            right,
            image,
            match.verdict is Verdict.COPY,
            match.score,
            match.hamming,
            match.proof.agreement if match.proof else None,
        )


def sampled_records(index: Index, collection: str, images: int, seed: int) -> list[ImageRecord]:
    """So many records with a thumbnail, drawn by lot over the whole collection; all of them where there are
    fewer. Reading takes one pass, memory for the drawn ones alone."""
    rng = np.random.default_rng(seed)
    drawn: list[ImageRecord] = []
    seen = 0
    for record in index.scan(Filter((collection,) if collection else ())):
        if not record.quality:
            continue
        seen += 1
        if len(drawn) < images:
            drawn.append(record)
        elif (place := int(rng.integers(seen))) < images:
            drawn[place] = record
    full = index.get([record.key for record in drawn])
    return [full[record.key] for record in drawn if record.key in full and full[record.key].thumbnail]


def attacked_matches(
    finder: Finder,
    records: Sequence[ImageRecord],
    *,
    model: Model | None,
    attacks: Sequence[str],
    collection: str = "",
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[LabelledMatch]:
    """The matches of edits of stored images: right where they are the image itself or have the same pixels.

    The edits are made from thumbnails, which is what verification sees, too.
    """
    params = SearchParams(limit=10, collections=(collection,) if collection else ())
    edits = [(place, name) for place in range(len(records)) for name in attacks]
    for begin in range(0, len(edits), _TOGETHER):
        some = edits[begin : begin + _TOGETHER]
        data = [attack(records[place].thumbnail or b"", name, seed) for place, name in some]
        described = describe_many(data, model=model)
        asked = [
            (place, query)
            for (place, _), query in zip(some, described, strict=True)
            if not isinstance(query, FacsimileError)
        ]
        answers = finder.search_many([query for _, query in asked], params)
        for (place, _), matches in zip(asked, answers, strict=True):
            own = records[place]
            for match in matches:
                right = match.record.key == own.key or match.record.pixels == own.pixels
                yield LabelledMatch.of(match, right=right, image=place)
        progress(begin + len(some), len(edits))


def fitted(
    matches: Sequence[LabelledMatch],
    *,
    precision: float,
    collection: str,
    signatures: str,
    origin: str,
    hash_limit: int,
) -> Calibration | str:
    """The loosest thresholds with this precision, or a sentence that says why there are none.

    Score and agreement are chosen together among the matches that were called copies, for as many right ones
    as possible; the Hamming distance over all matches, and never above `hash_limit`.
    """
    called = [match for match in matches if match.copy]
    images = len({match.image for match in matches})
    if fault := _too_few(called, images, precision):
        return fault
    right = np.array([match.right for match in called])
    score = np.array([match.score for match in called])
    agreement = np.array([1.0 if match.agreement is None else match.agreement for match in called])
    best = _loosest(right, score, agreement, precision)
    if best is None:
        return (
            f"no thresholds reach a precision of {precision:g} on these {len(called):,} matches, of which "
            f"{int((~right).sum()):,} are wrong: look at the wrong ones first"
        )
    kept = (score >= best[0]) & (agreement >= best[1])
    image = np.array([match.image for match in called])
    return Calibration(
        collection=collection,
        precision=precision,
        hash=_farthest(matches, precision, hash_limit),
        score=round(best[0], 6),
        agreement=round(best[1], 6),
        signatures=signatures,
        measured={
            "origin": origin,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "images": images,
            "copies": len(called),
            "wrong_before": int((~right).sum()),
            "wrong_after": int((~right & kept).sum()),
            "precision_before": _share(right),
            "precision_after": _share(right[kept]),
            "kept": {
                "share": round(float(kept[right].mean()), 5),
                "interval_95": [round(each, 5) for each in interval(kept[right], image[right])],
            },
        },
    )


def _too_few(called: Sequence[LabelledMatch], images: int, precision: float) -> str:
    needed = math.ceil(3 / (1 - precision))  # without an error, the interval of 95 % then begins there
    if images < LEAST_IMAGES:
        return f"{images} images are too few for thresholds: {LEAST_IMAGES} are needed"
    if len(called) < needed:
        return (
            f"{len(called):,} copies are too few to tell a precision of {precision:g}: {needed:,} are "
            "needed, so add images or ask for less"
        )
    return ""


def _loosest(
    right: NDArray[np.bool_], score: NDArray[np.float64], agreement: NDArray[np.float64], precision: float
) -> tuple[float, float] | None:
    """The smallest score and agreement that keep the most right matches at this precision."""
    best: tuple[int, float, float] | None = None
    for least in _candidates(score, right):
        for agreeing in _candidates(agreement, right):
            kept = (score >= least) & (agreement >= agreeing)
            good = int((right & kept).sum())
            if good and good >= precision * kept.sum() and (best is None or good > best[0]):
                best = (good, least, agreeing)
    return best[1:] if best else None


def _candidates(values: NDArray[np.float64], right: NDArray[np.bool_]) -> list[float]:
    """Thresholds to try, rising: one that accepts everything, and the least right values above wrong ones.
    Rounded down, so that equal values pass."""
    good, bad = np.unique(values[right]), np.unique(values[~right])
    above = np.unique(good[np.searchsorted(good, bad[bad < good.max(initial=-1.0)], side="right")])
    steps = above[np.unique(np.linspace(0, len(above) - 1, min(_STEPS, len(above))).astype(int))]
    return [min(0.0, float(values.min())), *(np.floor(steps * 1e6) / 1e6).tolist()]


def _farthest(matches: Sequence[LabelledMatch], precision: float, limit: int) -> int:
    """The largest Hamming distance up to which this share of the matches is right, over all distances below;
    0 where there is none."""
    found = 0
    for distance in range(limit + 1):
        near = [match.right for match in matches if match.hamming is not None and match.hamming <= distance]
        if sum(near) >= precision * len(near):
            found = distance
    return found


def _share(values: NDArray[np.bool_]) -> dict[str, Any]:
    """A share with Wilson's interval of 95 %."""
    count, share = len(values), float(values.mean())
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return {
        "share": round(share, 5),
        "interval_95": [round(max(0.0, middle - half), 5), round(min(1.0, middle + half), 5)],
    }
