"""Validation on look-alikes: different pictures of one template, of one class of goods, of one fixed camera.

Their cosines should stay below those of copies. ``level`` is the cosine that four fifths of the edited
photographs of ``validate`` reach; the share of look-alike pairs above it compares networks whose cosines
differ in scale.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.photographs import Bytes
from datasets.rendered import LEFT_OUT
from training.attacks import attack
from training.gather import listed_held_out

Floats = NDArray[np.float32]
Embed = Callable[[Bytes], Floats]

GOODS = ("clothing", "grocery")
LIGHT_ATTACKS = ("jpeg_q30", "crop_90", "colour_jitter")
ATTACKED = 3
"""So many members of each family are attacked."""


@dataclass
class Alike:
    """``median`` and ``high`` (95 % quantile) of the cosines of look-alikes, the share of pairs above the
    level of copies and, for rendered kinds, how often a lightly edited member is nearest to itself among
    all members.
    """

    seen: bool
    pairs: int
    median: float
    high: float
    above: float
    recall: float | None = None


def checked(cache: Path, size: int) -> tuple[list[tuple[str, int]], Bytes]:
    """The family (kind and number) of each rendered picture kept for validation, and the pictures."""
    rows = json.loads((cache / "rendered" / "items.json").read_text(encoding="utf-8"))
    images = np.load(cache / "rendered" / "images.npy", mmap_mode="r")
    chosen = [position for position, row in enumerate(rows) if row[0] == "check"]
    return [(rows[i][1], rows[i][2]) for i in chosen], shrunk(images, chosen, size)


def shrunk(images: Bytes, chosen: list[int], size: int) -> Bytes:
    squares = [
        Image.fromarray(np.array(images[i])).resize((size, size), Image.Resampling.BOX) for i in chosen
    ]
    return np.stack([np.asarray(square) for square in squares])


def prepare_alike(cache: Path, size: int) -> None:
    """Attack the first members of each family and write the queries."""
    rows, images = checked(cache, size)
    queries, truth = [], []
    count: dict[tuple[str, int], int] = {}
    for position, row in enumerate(rows):
        count[row] = count.get(row, 0) + 1
        if count[row] > ATTACKED:
            continue
        image = Image.fromarray(images[position])
        for name in LIGHT_ATTACKS:
            edited = attack(name, image, position, image).resize((size, size), Image.Resampling.BOX)
            queries.append(np.asarray(edited))
            truth.append(position)
    np.save(cache / f"alike-queries-{size}.npy", np.stack(queries))
    np.save(cache / "alike-truth.npy", np.array(truth))


def rendered_alike(embed: Embed, cache: Path, size: int, level: float) -> dict[str, Alike]:
    rows, images = checked(cache, size)
    vectors = embed(images)
    queries = embed(np.load(cache / f"alike-queries-{size}.npy", mmap_mode="r"))
    truth = np.load(cache / "alike-truth.npy")
    similarity = queries @ vectors.T
    own = similarity[np.arange(len(truth)), truth]
    right = (similarity >= own[:, None]).sum(axis=1) == 1
    kinds = np.array([kind for kind, _ in rows])
    families = np.unique(np.array([f"{kind}/{number}" for kind, number in rows]), return_inverse=True)[1]
    result = {}
    for kind in np.unique(kinds).tolist():
        at = np.flatnonzero(kinds == kind)
        cosine = vectors[at] @ vectors[at].T
        pairs = (families[at, None] == families[None, at]) & ~np.eye(len(at), dtype=np.bool_)
        recall = float(right[kinds[truth] == kind].mean())
        result[kind] = alike(cosine[pairs], level, kind not in LEFT_OUT, recall)
    return result


def goods_alike(embed: Embed, cache: Path, size: int, level: float) -> dict[str, Alike]:
    """Held-out photographs of goods: each with the nearest other of its class (near-duplicates left out)."""
    held_out, result = listed_held_out(), {}
    for name in GOODS:
        folder = cache / "sources" / name
        items = json.loads((folder / "items.json").read_text(encoding="utf-8"))
        chosen = [position for position, (digest, _) in enumerate(items) if digest in held_out]
        vectors = embed(shrunk(np.load(folder / "images.npy", mmap_mode="r"), chosen, size))
        classes = np.unique(np.array([items[i][1] for i in chosen]), return_inverse=True)[1]
        cosine = vectors @ vectors.T
        cosine[(classes[:, None] != classes[None]) | np.eye(len(chosen), dtype=np.bool_)] = -1
        result[name] = alike(cosine.max(axis=1), level, True)
    return result


def alike(cosines: Floats, level: float, seen: bool, recall: float | None = None) -> Alike:
    median, high = (float(v) for v in np.quantile(cosines, (0.5, 0.95)))
    return Alike(seen, len(cosines), median, high, float((cosines > level).mean()), recall)


def evaluate_alike(embed: Embed, cache: Path, size: int, level: float) -> dict[str, Alike]:
    """All kinds, and the means over the rendered kinds seen in training and over those left out."""
    result = rendered_alike(embed, cache, size, level)
    for name, seen in (("mean of kinds seen", True), ("mean of kinds left out", False)):
        kinds = [figures for figures in result.values() if figures.seen == seen]
        fields = ("median", "high", "above", "recall")
        means = {field: float(np.mean([getattr(kind, field) for kind in kinds])) for field in fields}
        result[name] = Alike(seen, sum(kind.pairs for kind in kinds), **means)
    return result | goods_alike(embed, cache, size, level)


def table(found: dict[str, Alike]) -> str:
    lines = [
        "| kind | in training | median cosine | 95 % | above the level of copies, % | recall@1, % |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, a in found.items():
        recall = "" if a.recall is None else f"{100 * a.recall:.1f}"
        seen = "yes" if a.seen else "no"
        lines.append(f"| {name} | {seen} | {a.median:.3f} | {a.high:.3f} | {100 * a.above:.1f} | {recall} |")
    return "\n".join(lines)


def as_json(found: dict[str, Alike]) -> dict[str, dict[str, float | bool | None]]:
    return {name: asdict(figures) for name, figures in found.items()}
