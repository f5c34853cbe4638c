"""The candidates of a search in the light of their pixels: copies proven, look-alikes named."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.index.base import Index
from facsimile.search.match import FIRST_PAGE_ALIKE, NEGATIVE, Match, Verdict
from facsimile.search.proof import Effort, Policy, Proof
from facsimile.search.proof_pool import TaskMap, run_here
from facsimile.search.query import Asked
from facsimile.search.ranking import Thresholds, unproven
from facsimile.search.score import score
from facsimile.search.verifier import Verifier


def reach(thresholds: Thresholds, policy: Policy) -> Thresholds:
    """Where candidates end: farther out than the answer, where geometry may prove them."""
    return dataclasses.replace(
        thresholds,
        similar=max(thresholds.similar, policy.distance),
        similar_cosine=min(thresholds.similar_cosine, policy.cosine),
    )


def verified(
    index: Index,
    queries: Sequence[Asked],
    answers: Sequence[Sequence[Match]],
    thresholds: Thresholds,
    policy: Policy,
    *,
    run: TaskMap = run_here,
) -> Iterator[list[Match]]:
    """The answers with their best candidates verified, in their old order; one request brings all thumbnails.

    `run` carries out the verification of each query, when its answer is taken or before. Raises the errors of
    `facsimile.search.errors`.
    """
    chosen = [
        [match.record.key for match in _worth(matches, thresholds, policy)] if query.quality else []
        for query, matches in zip(queries, answers, strict=True)
    ]
    records = index.get({key for keys in chosen for key in keys})
    known = [{key: records[key] for key in keys if key in records} for keys in chosen]
    return run(partial(_verified, policy=policy), queries, answers, known)


def _worth(matches: Sequence[Match], thresholds: Thresholds, policy: Policy) -> list[Match]:
    """The best matches, and all that their hash calls copies."""
    doubtful = [match for match in matches if match.verdict is not Verdict.IDENTICAL]
    return [
        *doubtful[: policy.candidates],
        *(match for match in doubtful[policy.candidates :] if match.verdict is Verdict.COPY),
    ]


def _verified(
    query: Asked,
    matches: Sequence[Match],
    records: Mapping[Key, ImageRecord],
    policy: Policy,
) -> list[Match]:
    """The matches, those verified of which the record is given."""
    if not records:
        return list(matches)
    end = time.monotonic() + policy.seconds
    verifier = Verifier(query, policy)
    confirmed = []
    looked, vain, patient = 0, 0, policy.vain_second
    for match in matches:
        record = records.get(match.record.key)
        if record is None or not verifier.can_compare(record):
            confirmed.append(match)
            continue
        # look-alikes of one series come by the dozen, and copies come before them
        likely = is_likely(match.hamming, match.cosine, policy)
        patience = policy.vain if likely else min(policy.vain, policy.vain_unlikely)
        give_up = vain >= patience or looked >= policy.candidates
        if time.monotonic() >= end or (give_up and match.verdict is not Verdict.COPY):
            confirmed.append(unreached(match, policy))
            continue
        effort = effort_for(match.hamming, match.cosine, policy)
        if verifier.second_looks >= patient:
            effort = "orb"
        proof = verifier.proof(record, effort="whole" if give_up else effort)
        looked, vain = looked + 1, vain + 1
        if proof and proof.finding == "copy":
            vain, patient = 0, verifier.second_looks + policy.vain_second
        confirmed.append(confirm(match, proof))
    return confirmed


def is_likely(hamming: int | None, cosine: float | None, policy: Policy) -> bool:
    """Whether hash and vector promise enough to look at a candidate after two others in vain, and by SIFT.

    Of the copies among the candidates of edited pictures, all but six in a thousand come before that or are
    likely.
    """
    near = hamming is not None and hamming <= policy.near
    return near or score(hamming, cosine) >= policy.likely


def effort_for(hamming: int | None, cosine: float | None, policy: Policy) -> Effort:
    """Whether SIFT looks even where ORB shows nothing at all."""
    return "sift" if is_likely(hamming, cosine, policy) else "sign"


def confirm(match: Match, proof: Proof | None) -> Match:
    """The match in the light of a proof; None where both pictures were compared and no transformation fits.

    Neither hash nor vector outweighs the pixels: what they took for a copy is similar where those differ.
    """
    if match.verdict is Verdict.IDENTICAL:
        return match
    if match.note == FIRST_PAGE_ALIKE:
        return dataclasses.replace(match, proof=proof)
    if proof is None:
        return unproven(match)
    if proof.finding == "copy":
        likelier = max(match.score, proof.probability)
        note = NEGATIVE if proof.negative else ""
        return dataclasses.replace(match, verdict=Verdict.COPY, score=likelier, proof=proof, note=note)
    return dataclasses.replace(unproven(match), proof=proof, note=proof.finding)


def unreached(match: Match, policy: Policy) -> Match:
    """A match that was not verified in time: a copy only where its hash leaves hardly a doubt."""
    near = match.hamming is not None and match.hamming <= policy.hash_alone
    return match if near else unproven(match)
