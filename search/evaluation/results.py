"""What an evaluation found, as values for tables, plots and programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsimile.search.evaluation.methods.base import Method
from facsimile.search.evaluation.metrics import Answers, Figures, Ranked, interval, recall_at
from facsimile.search.evaluation.plan import Plan, Timing

#: points of a curve that are kept
_POINTS = 200

#: missed queries of each method that are shown
MISSES = 6


@dataclass(frozen=True)
class Miss:
    """A query without its reference in the first place: the places of the query, of the reference that was
    wanted, and of what was found first (None: nothing). Of labelled pairs, a copy beyond the best threshold
    has no `found`, and another pair within it no `wanted`."""

    query: int
    wanted: int | None
    found: int | None


@dataclass(frozen=True, kw_only=True)
class MethodResult:
    """What one method reached. `failure` says why there are no figures."""

    spec: str
    paper: str = ""
    unit: str = ""
    direction: str = ""
    note: str = ""
    failure: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    interval: tuple[float, float] = (0.0, 0.0)
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    curve: Mapping[str, Sequence[float]] = field(default_factory=dict)
    missed: int = 0  # queries, or pairs, of which `misses` are some
    misses: Sequence[Miss] = ()
    values: NDArray[np.float32] | None = None
    timing: Timing | None = None

    def as_json(self) -> dict[str, Any]:
        """The result as programs read it."""
        if self.failure:
            return {"failure": self.failure}
        timing = self.timing
        return {
            "paper": self.paper,
            "unit": self.unit,
            "direction": self.direction,
            "note": self.note,
            **self.figures,
            "recall_at_1_interval_95": list(self.interval),
            "milliseconds_per_image": round(timing.milliseconds, 3) if timing else None,
            "microseconds_per_pair": round(timing.microseconds, 3) if timing else None,
            "bytes_per_image": round(timing.bytes, 1) if timing else None,
            "groups": {name: dict(figures) for name, figures in self.groups.items()},
            "curve": {name: list(values) for name, values in self.curve.items()},
            **({} if self.values is None else {"values": self.values.astype(float).round(5).tolist()}),
        }


def of_answers(plan: Plan, method: Method, answers: Answers, timing: Timing) -> MethodResult:
    """The result of a method from the answers to its queries."""
    task = plan.task
    rows = plan.queries(method)
    group = np.array(task.group)[rows]
    first = answers.rank == 1
    known = answers.wanted > 0
    recall, precision, score = answers.curve()
    names = task.groups if task.mode != "folders" else []
    return MethodResult(
        **_facts(method),
        figures=asdict(Figures.of(answers)),
        interval=interval(first[known], np.array(task.original)[rows][known]),
        groups={
            name: asdict(Figures.of(answers.chosen(np.flatnonzero(group == name)))) for name in names if name
        },
        curve=_curve(method, recall, precision, score),
        missed=int((known & (answers.rank != 1)).sum()),
        misses=_misses(task.relevant, rows, answers, group),
        timing=timing,
    )


def of_pairs(plan: Plan, method: Method, values: NDArray[np.float32], timing: Timing) -> MethodResult:
    """The result of a method from the values of labelled pairs."""
    copy = np.array([copy for *_, copy in plan.task.pairs])
    scores = (values if method.direction == "similarity" else -values).astype(np.float64)
    ranked = Ranked(scores, copy)
    recall, precision, score = ranked.curve(int(copy.sum()))
    wrong = (1 - precision) * (ranked.ends + 1) / max(1, (~copy).sum())
    best = int(np.argmax(recall - wrong))
    sign = 1 if method.direction == "similarity" else -1
    return MethodResult(
        **_facts(method),
        figures={
            "pairs": len(copy),
            "average_precision": ranked.average_precision(np.ones(len(copy), np.int64), int(copy.sum())),
            "recall_at_precision_90": recall_at(recall, precision, 0.9),
            "recall_at_precision_99": recall_at(recall, precision, 0.99),
            "best_threshold": sign * float(score[best]),
            "recall_at_best": float(recall[best]),
            "false_positive_rate_at_best": float(wrong[best]),
        },
        curve=_curve(method, recall, precision, score),
        missed=int(((scores >= score[best]) != copy).sum()),
        misses=_missed_pairs(plan.task.pairs, scores, copy, float(score[best])),
        timing=timing,
    )


def of_values(plan: Plan, method: Method, values: NDArray[np.float32], timing: Timing) -> MethodResult:
    """The result of a method that is shown as it is: a ranking, or a matrix."""
    return MethodResult(**_facts(method), values=values, timing=timing)


def _facts(method: Method) -> dict[str, Any]:
    return {
        "spec": method.spec,
        "paper": method.paper,
        "unit": method.unit,
        "direction": method.direction,
        "note": method.note,
    }


def _curve(
    method: Method, recall: NDArray[np.float64], precision: NDArray[np.float64], score: NDArray[np.float64]
) -> dict[str, list[float]]:
    """A curve of at most `_POINTS` points; thresholds are in the unit of the method."""
    at = np.unique(np.linspace(0, len(recall) - 1, _POINTS).astype(int))
    sign = 1 if method.direction == "similarity" else -1
    return {
        "recall": recall[at].round(5).tolist(),
        "precision": precision[at].round(5).tolist(),
        "threshold": (sign * score[at]).round(5).tolist(),
    }


def _missed_pairs(
    pairs: Sequence[tuple[int, int, bool]],
    scores: NDArray[np.float64],
    copy: NDArray[np.bool_],
    threshold: float,
) -> list[Miss]:
    """The pairs on the wrong side of a threshold, those farthest from it first, of both kinds in turn."""
    lost = np.flatnonzero(copy & (scores < threshold))
    false = np.flatnonzero(~copy & (scores >= threshold))
    first = [Miss(pairs[row][0], pairs[row][1], None) for row in lost[np.argsort(scores[lost])]]
    second = [Miss(pairs[row][0], None, pairs[row][1]) for row in false[np.argsort(-scores[false])]]
    mixed = [miss for both in zip_longest(first, second) for miss in both if miss is not None]
    return mixed[:MISSES]


def _misses(
    relevant: Sequence[Sequence[int]], rows: NDArray[np.int64], answers: Answers, group: NDArray[np.str_]
) -> list[Miss]:
    """Queries without their reference in the first place, of as many groups as possible."""
    missed = np.flatnonzero((answers.wanted > 0) & (answers.rank != 1))
    turn: dict[str, int] = {}
    order = []
    for row in missed:
        turn[group[row]] = turn.get(group[row], -1) + 1
        order.append((turn[group[row]], int(row)))
    return [
        Miss(
            query=int(rows[row]),
            wanted=int(relevant[rows[row]][0]),
            found=int(answers.places[row, 0]) if answers.places[row, 0] >= 0 else None,
        )
        for _, row in sorted(order)[:MISSES]
    ]
