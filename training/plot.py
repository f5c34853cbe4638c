"""Curves of a run as a picture: ``python -m training.plot --log <run>/log.jsonl --output curves.png``."""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

Record = dict[str, Any]


def read(paths: list[Path]) -> list[Record]:
    """All records, the stages one after the other on one time axis (minutes)."""
    records: list[Record] = []
    offset = 0.0
    for path in paths:
        stage = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        for record in stage:
            record["minutes"] = offset + record["elapsed"] / 60
        offset = max(record["minutes"] for record in stage)
        records += stage
    return records


def draw(records: list[Record], output: Path) -> None:
    steps = [r for r in records if "contrast" in r]
    checks = [r for r in records if "validation" in r]
    figure, axes = pyplot.subplots(2, 2, figsize=(11, 7.5))
    minutes = [r["minutes"] for r in steps]
    for axis, name, title in (
        (axes[0, 0], "contrast", "InfoNCE loss (training)"),
        (axes[0, 1], "spread", "Kozachenko-Leonenko spread term (training)"),
    ):
        axis.plot(minutes, [r[name] for r in steps], linewidth=1)
        axis.set_title(title)
    for name in ("uap", "recall@1", "recall@0fp_plain", "top100"):
        axes[1, 0].plot(
            [r["minutes"] for r in checks], [r["validation"][name] for r in checks], marker=".", label=name
        )
    axes[1, 0].set_title("quick validation (60 originals, index of 2,500)")
    axes[1, 0].legend()
    last = checks[-1]["validation"]["attacks"] if checks else {}
    for name in sorted(last, key=lambda n: float(last[n]["recall@1"]))[:8]:
        values = [r["validation"]["attacks"][name]["recall@1"] for r in checks]
        axes[1, 1].plot([r["minutes"] for r in checks], values, marker=".", label=name)
    axes[1, 1].set_title("recall@1 of the hardest attacks")
    axes[1, 1].legend(fontsize=8)
    for axis in axes.flat:
        axis.grid(alpha=0.3)
        axis.set_xlabel("minutes of training")
        for before, after in itertools.pairwise(steps):
            if before["size"] != after["size"]:
                axis.axvline(after["minutes"], color="gray", linestyle=":", linewidth=1)
    figure.tight_layout()
    figure.savefig(output, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", type=Path, nargs="+", required=True, help="logs of the stages, in order")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    draw(read(arguments.log), arguments.output)


if __name__ == "__main__":
    main()
