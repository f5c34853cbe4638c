"""Proof by geometry: a candidate's pixels in the query, moved, cut, scaled, mirrored or covered."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from facsimile.imaging.decode import decode
from facsimile.imaging.errors import ImageError
from facsimile.imaging.geometry.alignment import align
from facsimile.imaging.geometry.features import Features, Kind, features, matched, reflected
from facsimile.imaging.geometry.homography import Matrix, fit
from facsimile.imaging.geometry.overlap import lay, refine
from facsimile.imaging.record import ImageRecord
from facsimile.search.evidence import Evidence, Examiner, View
from facsimile.search.proof import Effort, Feature, Policy, Proof
from facsimile.search.query import Asked
from facsimile.search.transformation import Transformation

#: features of ORB in agreement that are a sign of a copy, for SIFT to look
_SIGN = 4

#: share of agreeing cells from which a closer look is worth its time
_CLOSER = 0.15

#: median residual of the cells up to which a slanted map is worth trying
_SLANTED = 0.3

#: stored pictures whose features are kept, some 300 kB each: queries that are alike have candidates in common
_REMEMBERED = 128

#: the local features that each effort goes to
_KINDS: dict[Effort, tuple[Kind, ...]] = {
    "whole": (),
    "orb": ("orb",),
    "sign": ("orb", "sift"),
    "sift": ("orb", "sift"),
}


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class _Hypothesis:
    """A map from the stored picture to the query, mirrored or negative, and how it was found."""

    feature: Feature
    inliers: int
    matrix: Matrix
    mirrored: bool = False
    negative: bool = False


class Verifier:
    """Verifies the candidates of one query; the query's features are computed once, when they are needed."""

    def __init__(self, query: Asked, policy: Policy) -> None:
        self._policy = policy
        self._size = (query.width, query.height)
        self._view = _view_of(query.thumbnail or b"")
        self._views = {False: self._view}
        self._features: dict[tuple[Kind, bool], Features] = {}
        self.second_looks = 0  # how many it took so far

    def can_compare(self, candidate: ImageRecord) -> bool:
        """Whether both pictures have a thumbnail that can be read."""
        return self._view.readable and _view_of(candidate.thumbnail or b"").readable

    def proof(self, candidate: ImageRecord, *, effort: Effort = "sift") -> Proof | None:
        """What can be said of a candidate that carries its thumbnail; None where no transformation fits, or
        either has no thumbnail that can be read.

        The wholes first, laid on each other; then, as far as `effort` goes, ORB, upright and mirrored, and
        SIFT, which takes four times as long. Where no map makes them the same, the best one is looked at
        closer.
        """
        stored = _view_of(candidate.thumbnail or b"")
        best: tuple[_Hypothesis, Evidence] | None = None
        for hypothesis in self._hypotheses(stored, candidate, effort):
            for tried in self._variants(stored, hypothesis):
                evidence = self._examiner(stored, tried).look(tried.matrix, negative=tried.negative)
                if evidence is None:
                    break
                if evidence.finding == "copy":
                    return self._proof(tried, evidence, candidate, stored)
                if best is None or _rank(evidence) > _rank(best[1]):
                    best = (tried, evidence)
                if evidence.finding == "recoloured":
                    break
        if best is None:
            return None
        tried, evidence = self._closer(stored, *best)
        return self._proof(tried, evidence, candidate, stored)

    def _closer(self, stored: View, tried: _Hypothesis, evidence: Evidence) -> tuple[_Hypothesis, Evidence]:
        """The best map looked at closer, and slanted where features found it."""
        if evidence.finding != "same scene" or evidence.difference.agreeing < _CLOSER:
            return tried, evidence
        examiner = self._examiner(stored, tried)
        if evidence.difference.typical < _SLANTED and tried.feature != "whole":
            for smooth in (3, 1, 1):  # first roughly, then exactly
                matrix = refine(evidence.shared.common, slanted=True, smooth=smooth)
                slanted = None if matrix is None else examiner.look(matrix, negative=tried.negative)
                if slanted is None or _rank(slanted) < _rank(evidence):
                    break
                evidence = slanted
                if evidence.finding == "copy":
                    return tried, evidence
        return tried, examiner.look_closer(evidence)

    def _hypotheses(self, stored: View, candidate: ImageRecord, effort: Effort) -> Iterator[_Hypothesis]:
        for alignment in align(stored.luma, self._view.luma):
            yield _Hypothesis("whole", 0, alignment.matrix, negative=alignment.negative)
        sign = effort == "sift"
        for kind in _KINDS[effort]:
            if kind == "sift":
                if not sign:
                    return
                self.second_looks += 1
            own = _stored(candidate.thumbnail or b"", kind)
            # where SIFT follows, it looks at the mirrored picture at no cost
            for mirrored in (False,) if kind == "orb" and effort == "sift" else (False, True):
                found = fit(*matched(own, self._query(kind, mirrored)))
                sign = sign or (found is not None and found.inliers >= _SIGN)
                if found is not None and found.inliers >= self._policy.least(kind):
                    yield _Hypothesis(kind, found.inliers, found.matrix, mirrored=mirrored)

    def _variants(self, stored: View, hypothesis: _Hypothesis) -> Iterator[_Hypothesis]:
        """The map as it was found, and refined on the pixels."""
        yield hypothesis
        seen = self._seen(hypothesis.mirrored).seen(hypothesis.negative)
        common = lay(stored.luma, seen, hypothesis.matrix)
        nearer = None if common is None else refine(common)
        if nearer is not None:
            yield dataclasses.replace(hypothesis, matrix=nearer)

    def _examiner(self, stored: View, hypothesis: _Hypothesis) -> Examiner:
        return Examiner(stored, self._seen(hypothesis.mirrored), self._policy)

    def _query(self, kind: Kind, mirror: bool) -> Features:
        if (kind, mirror) not in self._features:
            self._features[kind, mirror] = (
                reflected(self._query(kind, False), self._view.luma.shape[1])
                if kind == "sift" and mirror
                else features(self._seen(mirror).luma, kind)
            )
        return self._features[kind, mirror]

    def _seen(self, mirrored: bool) -> View:
        if mirrored not in self._views:
            self._views[mirrored] = self._view.mirrored()
        return self._views[mirrored]

    def _proof(self, tried: _Hypothesis, evidence: Evidence, candidate: ImageRecord, stored: View) -> Proof:
        return Proof(
            evidence.finding,
            tried.feature,
            tried.inliers,
            evidence.difference.agreement,
            evidence.difference.agreeing,
            evidence.difference.residual,
            evidence.shared.hamming,
            self._transformation(evidence, tried.mirrored, candidate, stored),
            evidence.moved,
            evidence.negative,
            evidence.covered,
        )

    def _transformation(
        self, evidence: Evidence, mirrored: bool, candidate: ImageRecord, stored: View
    ) -> Transformation:
        """In pixels of the two originals, the query not mirrored."""
        size = (stored.luma.shape[1], stored.luma.shape[0])
        height, width = self._view.luma.shape
        back = np.array([(-1, 0, width), (0, 1, 0), (0, 0, 1)]) if mirrored else np.eye(3)
        to_query = np.diag((self._size[0] / width, self._size[1] / height, 1))
        from_stored = np.diag((size[0] / candidate.width, size[1] / candidate.height, 1))
        matrix = to_query @ back @ evidence.common.matrix @ from_stored
        sizes = (candidate.width, candidate.height, *self._size)
        return Transformation.of(matrix, evidence.common.corners / size, sizes)


def _rank(evidence: Evidence) -> tuple[bool, float]:
    """Recoloured ones first, then by the share of agreeing cells among many."""
    enough = min(evidence.difference.cells / 60, 1.0)
    return evidence.finding == "recoloured", evidence.difference.agreeing * enough


@lru_cache(maxsize=_REMEMBERED)
def _view_of(thumbnail: bytes) -> View:
    """What a thumbnail shows; one pixel where there is none to read."""
    try:
        picture = decode(thumbnail, digest=False)
    except ImageError:
        return View(np.zeros((1, 1), np.uint8), np.zeros((1, 1, 3), np.uint8))
    return View(picture.luma, picture.rgb)


@lru_cache(maxsize=2 * _REMEMBERED)
def _stored(thumbnail: bytes, kind: Kind) -> Features:
    """The features of a stored picture; coarse, since a copy shows hardly more of it than its thumbnail."""
    return features(_view_of(thumbnail).luma, kind, coarse=True)
