"""Every descriptor on the same pictures: what each finds, in figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.descriptor import Descriptor, described, milliseconds, similarities
from benchmarks.accuracy.metrics import Figures, Outcome, curve, intervals, outcome
from benchmarks.accuracy.pictures import Cast, Files
from facsimile.search.evaluation.attacks import ATTACKS
from facsimile.search.evaluation.metrics import Floats

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Entry:
    """A contestant: one descriptor, or several whose similarities `combine` makes one."""

    name: str
    descriptors: tuple[Descriptor, ...]
    combine: Callable[..., Matrix] = lambda similarity: similarity


@dataclass(frozen=True)
class Result:
    """`per_edit` has for each edit the recall at 1 and the recall at no false answer (plain negatives)."""

    name: str
    bytes: int
    milliseconds: float
    figures: Figures
    intervals: Mapping[str, tuple[float, float]]
    per_edit: Mapping[str, tuple[float, float]]
    curve: tuple[Floats, Floats]

    def as_json(self) -> dict[str, Any]:
        return {
            "bytes": self.bytes,
            "milliseconds": round(self.milliseconds, 2),
            "figures": asdict(self.figures),
            "intervals_95": dict(self.intervals),
            "per_edit": {
                edit: {"recall_at_1": first, "recall_at_0_false_plain": sure}
                for edit, (first, sure) in self.per_edit.items()
            },
        }


def contest(entries: Sequence[Entry], cast: Cast, files: Files, work: Path) -> list[Result]:
    """The result of every entry; values that are kept in the work folder are not computed again."""
    every = [descriptor for entry in entries for descriptor in entry.descriptors]
    for items in (cast.queries, cast.negatives, cast.index):
        described(every, items, files, work)  # all at once, so that each picture is decoded once
    results = []
    for entry in entries:
        asked, refused = (
            entry.combine(*(similarities(one, items, cast.index, files, work) for one in entry.descriptors))
            for items in (cast.queries, cast.negatives)
        )
        seen = outcome(asked, refused, cast.originals, cast.plain)
        spent = sum(milliseconds(one, cast.index, files, work) for one in entry.descriptors)
        results.append(
            Result(
                name=entry.name,
                bytes=sum(one.bytes for one in entry.descriptors),
                milliseconds=spent,
                figures=Figures.of(seen),
                intervals=intervals(seen),
                per_edit=_per_edit(seen),
                curve=curve(seen),
            )
        )
    return results


def _per_edit(seen: Outcome) -> dict[str, tuple[float, float]]:
    sure = seen.right & (seen.best > seen.negative[seen.plain].max())
    return {
        edit: (float(seen.right[:, place].mean()), float(sure[:, place].mean()))
        for place, edit in enumerate(ATTACKS)
    }
