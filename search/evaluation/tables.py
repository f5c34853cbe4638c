"""The results of an evaluation as files: JSON for programs, Markdown for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facsimile.search.evaluation.results import MethodResult
from facsimile.search.evaluation.tasks import Task

#: the figures of a table by kind of task: the key, the heading
_COLUMNS = {
    "pairs": (
        ("average_precision", "average precision"),
        ("recall_at_precision_90", "RP90"),
        ("recall_at_precision_99", "RP99"),
        ("best_threshold", "best threshold"),
    ),
    "folders": (
        ("recall_at_1", "recall@1"),
        ("precision_at_3", "top-3 accuracy"),
        ("mean_ap", "MAP"),
    ),
    "": (
        ("recall_at_1", "recall@1"),
        ("recall_at_10", "recall@10"),
        ("micro_ap", "µAP"),
        ("recall_at_precision_90", "RP90"),
    ),
}

#: most values of a method in the table of a ranking or a matrix
SHOWN = 12


def as_json(task: Task, results: Sequence[MethodResult]) -> dict[str, Any]:
    """The evaluation under `evaluation`, and each method's figures under its name."""
    return {
        "evaluation": {
            "mode": task.mode,
            "description": task.words,
            "references": [str(item.path) for item in task.references[:1000]],
            "skipped": [{"source": source, "reason": reason} for source, reason in task.skipped],
        },
        **{
            result.spec: result.as_json()
            if result.failure
            else {**result.as_json(), "missed": result.missed, "misses": _misses(task, result)}
            for result in results
        },
    }


def _misses(task: Task, result: MethodResult) -> list[dict[str, Any]]:
    def name(place: int | None) -> str | None:
        return None if place is None else str(task.references[place].path)

    return [
        {
            "query": str(task.queries[miss.query].path),
            "edit": task.queries[miss.query].edit,
            "wanted": name(miss.wanted),
            "found": name(miss.found),
        }
        for miss in result.misses
    ]


def as_markdown(task: Task, results: Sequence[MethodResult]) -> str:
    """A table of the methods, one of the groups, and what could not run or be read."""
    lines = [task.words, ""]
    good = [result for result in results if not result.failure]
    if task.mode in ("query", "matrix"):
        lines += _values(task, good)
    else:
        lines += _figures(task, good)
    lines += [f"- {note}" for note in notes(task, results)]
    return "\n".join(lines).rstrip() + "\n"


def notes(task: Task, results: Sequence[MethodResult]) -> list[str]:
    """What a reader must know of the methods, and which of them and of the files were left out, and why."""
    return [
        *(f"{result.spec}: {result.note}" for result in results if result.note and not result.failure),
        *(f"{result.spec} did not run: {result.failure}" for result in results if result.failure),
        *(f"{source} was left out: {reason}" for source, reason in task.skipped),
    ]


def columns_of(task: Task) -> Sequence[tuple[str, str]]:
    """The figures that a table of this task shows: the key and the heading; the first is the main one."""
    return _COLUMNS.get(task.mode, _COLUMNS[""])


def method_heads(task: Task) -> list[str]:
    """The headings of the table of methods."""
    asked = "pairs" if task.mode == "pairs" else "queries"
    return ["method", *(head for _, head in columns_of(task)), asked, "ms/image", "µs/pair", "bytes"]


def method_rows(task: Task, results: Sequence[MethodResult]) -> list[list[str]]:
    """A row of the table for each method."""
    rows = []
    for result in results:
        timing = result.timing
        cells = [f"{result.figures[key]:.3f}" for key, _ in columns_of(task)]
        count = result.figures.get("queries", result.figures.get("pairs", 0))
        times = (timing.milliseconds, timing.microseconds, timing.bytes) if timing else (0.0, 0.0, 0.0)
        tail = [f"{count:,}", f"{times[0]:.1f}", f"{times[1]:.2f}", f"{times[2]:,.0f}"]
        rows.append([result.spec, *cells, *tail])
    return rows


def _figures(task: Task, results: Sequence[MethodResult]) -> list[str]:
    heads = method_heads(task)
    lines = [_row(heads), _row(["---", *["--:"] * (len(heads) - 1)])]
    lines += [_row(row) for row in method_rows(task, results)]
    groups = list(results[0].groups) if results else []
    if groups:
        lines += ["", "Recall@1 of each group, in per cent:", ""]
        lines += [_row(["group", *(result.spec for result in results)])]
        lines += [_row(["---", *["--:"] * len(results)])]
        for group in groups:
            shares = [f"{100 * result.groups[group]['recall_at_1']:.0f}" for result in results]
            lines.append(_row([group, *shares]))
    return [*lines, ""]


def _values(task: Task, results: Sequence[MethodResult]) -> list[str]:
    lines = []
    names = [item.path.name for item in task.references]
    for result in results:
        values = result.values
        if values is None:
            continue
        lines += [f"{result.spec} ({result.unit}):", ""]
        if task.mode == "query":
            lines += [
                f"{rank}. {names[place]}: {values[0, place]:.4g}"
                for rank, place in enumerate(ranking(task, result)[:SHOWN], 1)
            ]
        else:
            lines += [_row(["", *names]), _row(["---", *["--:"] * len(names)])]
            lines += [
                _row([name, *(f"{value:.4g}" for value in row)])
                for name, row in zip(names, values, strict=True)
            ]
        lines.append("")
    return lines


def ranking(task: Task, result: MethodResult) -> list[int]:
    """The places of the references in the order of their likeness to the query, which is not among them."""
    assert result.values is not None  # noqa: S101
    values = result.values[0] * (-1 if result.direction == "similarity" else 1)
    return [place for place in np.argsort(values, kind="stable").tolist() if place != task.excluded[0]]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def write(folder: Path, task: Task, results: Sequence[MethodResult]) -> None:
    """Write `results.json` and `results.md`; each takes its name when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "results.json": json.dumps(as_json(task, results), indent=1, ensure_ascii=False) + "\n",
        "results.md": as_markdown(task, results),
    }
    for name, text in files.items():
        partial = folder / f"{name}.part"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / name)
