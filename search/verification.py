"""Proof by geometry: whether a candidate's pixels lie in the query, moved, cut, scaled or mirrored."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.decode import decode
from facsimile.imaging.errors import ImageError
from facsimile.imaging.geometry.features import Features, features, matched, reflected
from facsimile.imaging.geometry.homography import Fit, Matrix, fit, plausible
from facsimile.imaging.geometry.overlap import Overlap, overlap, refined
from facsimile.imaging.geometry.parallax import parallax
from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.index.base import Index
from facsimile.search.match import FIRST_PAGE_ALIKE, Match, Verdict
from facsimile.search.proof import SAME_SCENE, Feature, Finding, Policy, Proof, SecondLook
from facsimile.search.query import Asked
from facsimile.search.ranking import Thresholds
from facsimile.search.transformation import Transformation

#: features of ORB in agreement that are a sign of a copy, for SIFT to look
_SIGN = 4

#: agreement of the pixels from which refining the transformation is worth its time: with less, it hardly ever
#: proves a copy, and most of what is none has less
_NEAR = 0.7

#: stored pictures whose features are kept, some 300 kB each: queries that are alike have candidates in common
_REMEMBERED = 128


class Verifier:
    """Verifies the candidates of one query; the query's features are computed once, when they are needed."""

    def __init__(self, query: Asked, policy: Policy) -> None:
        self._policy = policy
        self._size = (query.width, query.height)
        self._luma = _luma_of(query.thumbnail or b"")
        self._features: dict[tuple[Feature, bool], Features] = {}
        self.second_looks = 0  # how many it took so far

    def proof(self, candidate: ImageRecord, *, second_look: SecondLook = "always") -> Proof | None:
        """What can be said of a candidate that carries its thumbnail; None where no transformation fits, or
        either has no thumbnail that can be read.

        ORB first, upright, then mirrored; then SIFT as `second_look` says, which takes four times as long.
        """
        luma = _luma_of(candidate.thumbnail or b"")
        best: Proof | None = None
        sign = second_look == "always"
        kinds: tuple[Feature, ...] = ("orb",) if second_look == "never" else ("orb", "sift")
        for kind in kinds:
            if kind == "sift":
                if not sign:
                    break
                self.second_looks += 1
            own = _stored(candidate.thumbnail or b"", kind)
            for mirrored in (False, True):
                found = fit(*matched(own, self._query(kind, mirrored)))
                sign = sign or (found is not None and found.inliers >= _SIGN)
                if found is None or found.inliers < self._policy.least(kind):
                    continue
                proof = self._judged(kind, found, mirrored, candidate, luma)
                if proof and (best is None or proof.probability > best.probability):
                    best = proof
                if best and best.finding == "copy":
                    return best
        return best

    def _query(self, kind: Feature, mirror: bool) -> Features:
        if (kind, mirror) not in self._features:
            self._features[kind, mirror] = (
                reflected(self._query(kind, False), self._luma.shape[1])
                if kind == "sift" and mirror
                else features(self._seen(mirror), kind)
            )
        return self._features[kind, mirror]

    def _seen(self, mirrored: bool) -> NDArray[np.uint8]:
        return self._luma[:, ::-1] if mirrored else self._luma

    def _judged(
        self, kind: Feature, found: Fit, mirrored: bool, candidate: ImageRecord, luma: NDArray[np.uint8]
    ) -> Proof | None:
        seen, policy = self._seen(mirrored), self._policy
        shared = self._shared(luma, seen, found.matrix)
        if shared is None:
            return None
        if policy.evidence(shared) < 0 and shared.agreement >= _NEAR:
            nearer = refined(shared.common)
            again = None if nearer is None else self._shared(luma, seen, nearer)
            if again and policy.evidence(again) > policy.evidence(shared):
                shared = again
        moved = parallax(shared.common) if shared.agreement >= _NEAR else None
        still = moved is None or moved <= policy.parallax
        finding: Finding = "copy" if policy.evidence(shared) >= 0 and still else "same scene"
        transformation = self._transformation(shared, mirrored, candidate, luma.shape)
        return Proof(finding, kind, found.inliers, shared.agreement, shared.hamming, transformation, moved)

    def _shared(self, luma: NDArray[np.uint8], seen: NDArray[np.uint8], matrix: Matrix) -> Overlap | None:
        """The common area under a map; None where that is not plausible, or has too little to compare."""
        height, width = luma.shape
        if not plausible(matrix, width, height):
            return None
        shared = overlap(luma, seen, matrix)
        return shared if shared and shared.cells >= self._policy.cells else None

    def _transformation(
        self, shared: Overlap, mirrored: bool, candidate: ImageRecord, shape: tuple[int, ...]
    ) -> Transformation:
        """In pixels of the two originals, the query not mirrored."""
        size = (shape[1], shape[0])
        height, width = self._luma.shape
        back = np.array([(-1, 0, width), (0, 1, 0), (0, 0, 1)]) if mirrored else np.eye(3)
        to_query = np.diag((self._size[0] / width, self._size[1] / height, 1))
        from_stored = np.diag((size[0] / candidate.width, size[1] / candidate.height, 1))
        matrix = to_query @ back @ shared.common.matrix @ from_stored
        sizes = (candidate.width, candidate.height, *self._size)
        return Transformation.of(matrix, shared.common.corners / size, sizes)


def reach(thresholds: Thresholds, policy: Policy) -> Thresholds:
    """Where candidates end: farther out than the answer, where geometry may prove them."""
    return dataclasses.replace(
        thresholds,
        similar=max(thresholds.similar, policy.distance),
        similar_cosine=min(thresholds.similar_cosine, policy.cosine),
    )


@lru_cache(maxsize=_REMEMBERED)
def _luma_of(thumbnail: bytes) -> NDArray[np.uint8]:
    """The luma raster [H, W] of a thumbnail; one without features where there is none to read."""
    try:
        return decode(thumbnail, digest=False).luma
    except ImageError:
        return np.zeros((1, 1), np.uint8)


@lru_cache(maxsize=2 * _REMEMBERED)
def _stored(thumbnail: bytes, kind: Feature) -> Features:
    """The features of a stored picture; coarse, since a copy shows hardly more of it than its thumbnail."""
    return features(_luma_of(thumbnail), kind, coarse=True)


def verified(
    index: Index,
    queries: Sequence[Asked],
    answers: Sequence[Sequence[Match]],
    thresholds: Thresholds,
    policy: Policy,
) -> list[list[Match]]:
    """The answers with their best candidates verified, in their old order; one request brings all thumbnails.

    Raises the errors of `facsimile.search.errors`.
    """
    chosen = [
        [match for match in matches if match.verdict is not Verdict.IDENTICAL][: policy.candidates]
        if query.quality
        else []
        for query, matches in zip(queries, answers, strict=True)
    ]
    records = index.get({match.record.key for matches in chosen for match in matches})
    return [
        _verified(query, matches, {match.record.key for match in best}, records, thresholds, policy)
        for query, matches, best in zip(queries, answers, chosen, strict=True)
    ]


def _verified(
    query: Asked,
    matches: Sequence[Match],
    chosen: set[Key],
    records: Mapping[Key, ImageRecord],
    thresholds: Thresholds,
    policy: Policy,
) -> list[Match]:
    if not chosen:
        return list(matches)
    end = time.monotonic() + policy.seconds
    verifier = Verifier(query, policy)
    told = []
    vain, patient = 0, policy.vain_second
    for match in matches:
        record = records.get(match.record.key) if match.record.key in chosen else None
        proof = None
        # look-alikes of one series come by the dozen, and copies come before them
        if record and time.monotonic() < end and vain < policy.vain:
            again = second_look(match.hamming, match.cosine, thresholds, policy)
            proof = verifier.proof(record, second_look=again if verifier.second_looks < patient else "never")
            vain += 1
            if proof and proof.finding == "copy":
                vain, patient = 0, verifier.second_looks + policy.vain_second
        told.append(confirmed(match, proof, policy))
    return told


def second_look(
    hamming: int | None, cosine: float | None, thresholds: Thresholds, policy: Policy
) -> SecondLook:
    """Whether hash or vector promise enough for a second look where the first shows nothing at all."""
    near = hamming is not None and hamming <= thresholds.similar
    alike = cosine is not None and cosine >= policy.second_cosine
    return "always" if near or alike else "on a sign"


def confirmed(match: Match, proof: Proof | None, policy: Policy) -> Match:
    """The match in the light of a proof. What hash or vector took for a copy is none where it is the same
    scene in another picture, unless the hash is very sure: then it decides, and the proof says so."""
    if proof is None or match.verdict is Verdict.IDENTICAL:
        return match
    if match.note == FIRST_PAGE_ALIKE:
        return dataclasses.replace(match, proof=proof)
    sure = match.verdict is Verdict.COPY and match.hamming is not None and match.hamming <= policy.despite
    if sure and proof.finding != "copy":
        proof = dataclasses.replace(proof, finding="copy", by_hash=match.score)
    if proof.finding == "copy":
        score = max(match.score, proof.probability)
        return dataclasses.replace(match, verdict=Verdict.COPY, score=score, proof=proof)
    score = min(match.score, proof.probability)
    return dataclasses.replace(match, verdict=Verdict.SIMILAR, score=score, proof=proof, note=SAME_SCENE)
