"""The results of an evaluation as a page: one self-contained HTML file, and its plots as SVG files."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facsimile.search.evaluation.plots import bars, curve_panels, curves
from facsimile.search.evaluation.results import MethodResult, Miss
from facsimile.search.evaluation.tables import (
    SHOWN,
    columns_of,
    method_heads,
    method_rows,
    notes,
    ranking,
)
from facsimile.search.evaluation.tasks import DatasetItem, Task
from facsimile.search.html_report import environment, markup

#: longer side of a picture of the page, in pixels
_SIDE = 160


def write_report(folder: Path, task: Task, results: Sequence[MethodResult]) -> list[Path]:
    """Write `index.html` and, where there are curves, `curves.svg` and `bars.svg`; returns the files."""
    good = [result for result in results if not result.failure]
    files = {"index.html": _page(task, results, good)}
    if any(result.curve for result in good):
        key, label = columns_of(task)[0]
        files |= {"curves.svg": curves(good), "bars.svg": bars(good, key, label)}
    for name, text in files.items():
        partial = folder / f"{name}.part"
        partial.write_text(text, encoding="utf-8")
        partial.replace(folder / name)
    return [folder / name for name in files]


def _page(task: Task, results: Sequence[MethodResult], good: Sequence[MethodResult]) -> str:
    curved = [result for result in good if result.curve]
    key, label = columns_of(task)[0]
    values = {
        "description": task.words,
        "heads": method_heads(task),
        "rows": _rows(task, curved),
        "bars_label": label[0].upper() + label[1:],
        "bars": markup(bars(curved, key, label)) if curved else "",
        "panels": [markup(panel) for panel in curve_panels(curved)],
        "methods": [result.spec for result in curved],
        "groups": _groups(curved),
        "galleries": [_gallery(task, result) for result in curved if result.misses],
        "rankings": [_ranking(task, result) for result in good] if task.mode == "query" else [],
        "query": _picture(task.queries[0]) if task.mode == "query" else {},
        "matrices": [_matrix(result) for result in good] if task.mode == "matrix" else [],
        "pictures": [_picture(item) for item in task.references] if task.mode == "matrix" else [],
        "reasons": notes(task, results),
    }
    return environment("facsimile.search").get_template("evaluation.html.j2").render(**values)


def _rows(task: Task, results: Sequence[MethodResult]) -> list[list[dict[str, Any]]]:
    """The cells of the table; of figures that are shares, the best is marked."""
    keys = [key for key, _ in columns_of(task) if key != "best_threshold"]
    best = {key: max((result.figures[key] for result in results), default=0) for key in keys}
    rows = []
    for result, cells in zip(results, method_rows(task, results), strict=True):
        marked = [False] + [key in best and result.figures[key] == best[key] for key, _ in columns_of(task)]
        marked += [False] * (len(cells) - len(marked))
        rows.append([{"text": text, "best": mark} for text, mark in zip(cells, marked, strict=True)])
    return rows


def _groups(results: Sequence[MethodResult]) -> list[dict[str, Any]]:
    names = list(results[0].groups) if results else []
    return [
        {
            "name": name,
            "shares": [round(100 * result.groups[name]["recall_at_1"]) for result in results],
        }
        for name in names
    ]


def _gallery(task: Task, result: MethodResult) -> dict[str, Any]:
    many = "one query" if result.missed == 1 else f"{result.missed:,} queries"
    if task.mode == "pairs":
        many = "one pair" if result.missed == 1 else f"{result.missed:,} pairs"
    shown = "" if result.missed == len(result.misses) else f", {len(result.misses)} of them shown"
    return {
        "spec": result.spec,
        "count": many + shown,
        "open": result.spec == "facsimile",
        "misses": [_miss(task, miss) for miss in result.misses],
    }


def _miss(task: Task, miss: Miss) -> dict[str, Any]:
    pictures = [{"role": "query", **_picture(task.queries[miss.query])}]
    if miss.wanted is not None:
        pictures.append({"role": "wanted", **_picture(task.references[miss.wanted])})
    if miss.found is not None:
        pictures.append({"role": "found", **_picture(task.references[miss.found])})
    elif task.mode != "pairs":
        pictures.append({"role": "found", "name": "", "source": ""})
    return {"group": task.group[miss.query], "pictures": pictures}


def _ranking(task: Task, result: MethodResult) -> dict[str, Any]:
    assert result.values is not None  # noqa: S101
    pictures = [
        {"value": f"{result.values[0, place]:.4g}", **_picture(task.references[place])}
        for place in ranking(task, result)[:SHOWN]
    ]
    return {"spec": result.spec, "unit": result.unit, "pictures": pictures}


def _matrix(result: MethodResult) -> dict[str, Any]:
    """The cells of a matrix; the shade says how alike two pictures are."""
    assert result.values is not None  # noqa: S101
    values = result.values.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    alike = (values - low) / max(high - low, 1e-9)
    if result.direction == "distance":
        alike = 1 - alike
    rows = [
        [{"text": f"{value:.3g}", "share": round(100 * share)} for value, share in zip(*pair, strict=True)]
        for pair in zip(values.tolist(), alike.tolist(), strict=True)
    ]
    return {"spec": result.spec, "unit": result.unit, "rows": rows}


@lru_cache(maxsize=1024)
def _picture(item: DatasetItem) -> Mapping[str, str]:
    """The name of a picture and a small JPEG of it; one that is gone meanwhile has only its name."""
    try:
        image = item.read().image
    except OSError:
        return {"name": f"{item.path.name} (gone)", "source": ""}
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=80)
    source = "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
    return {"name": item.path.name, "source": source}
