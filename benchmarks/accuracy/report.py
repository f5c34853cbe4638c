"""Results as markdown tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.accuracy.contest import Result
from facsimile.search.evaluation.attacks import ATTACKS

_HEADS = {
    "uap": "µAP",
    "recall_at_1": "recall@1",
    "recall_at_0_false_plain": "recall at 0 false, plain",
    "recall_at_0_false": "recall at 0 false, all",
    "recall_at_100": "recall@100",
}


def overall(results: Sequence[Result]) -> str:
    """A row for each descriptor, with the 95 % interval of each figure."""
    lines = [
        "| descriptor | bytes | ms | " + " | ".join(_HEADS.values()) + " |",
        "| --- | --: | --: |" + " --: |" * len(_HEADS),
    ]
    for result in results:
        cells = []
        for name in _HEADS:
            low, high = result.intervals[name]
            cells.append(f"{getattr(result.figures, name):.3f} <sub>{low:.3f}–{high:.3f}</sub>")
        lines.append(
            f"| {result.name} | {result.bytes:,} | {result.milliseconds:.1f} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def per_edit(results: Sequence[Result], which: int) -> str:
    """Percent of each edit, a column for each descriptor: recall@1 (0) or recall at no false answer (1)."""
    lines = [
        "| edit | " + " | ".join(result.name for result in results) + " |",
        "| --- |" + " --: |" * len(results),
    ]
    for edit in ATTACKS:
        cells = [f"{100 * result.per_edit[edit][which]:.0f}" for result in results]
        lines.append(f"| {edit} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def plot(results: Sequence[Result], folder: Path) -> None:
    """`recall-per-edit.png` and `recall-precision.png`."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    shades = plt.get_cmap("tab10")

    shares = np.array([[100 * result.per_edit[edit][0] for edit in ATTACKS] for result in results])
    figure, axes = plt.subplots(figsize=(11, 0.42 * len(results) + 2.2), layout="constrained")
    axes.imshow(shares, cmap="RdYlGn", vmin=0, vmax=100, aspect="auto")
    axes.set_xticks(range(len(ATTACKS)), list(ATTACKS), rotation=45, ha="right")
    axes.set_yticks(range(len(results)), [result.name for result in results])
    for (row, column), share in np.ndenumerate(shares):
        ink = "black" if 15 < share < 85 else "white"
        axes.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=8, color=ink)
    axes.set_title("The original comes first, % of queries")
    figure.savefig(folder / "recall-per-edit.png", dpi=110)
    plt.close(figure)

    figure, axes = plt.subplots(figsize=(7.5, 5), layout="constrained")
    for place, result in enumerate(results):
        recall, precision = result.curve
        style = "--" if result.name == "network" or place >= shades.N else "-"
        axes.plot(recall, precision, style, label=result.name, color=shades(place % shades.N), linewidth=1.6)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0.5, 1.005))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", fontsize=8)
    axes.set_title("Accepting the best match of every query above a threshold")
    figure.savefig(folder / "recall-precision.png", dpi=110)
    plt.close(figure)


def written_between(document: str, parts: Mapping[str, str]) -> str:
    """The document with each part put between `<!-- NAME -->` and `<!-- /NAME -->`."""
    for name, text in parts.items():
        before, opened, rest = document.partition(f"<!-- {name} -->")
        _, closed, after = rest.partition(f"<!-- /{name} -->")
        if not (opened and closed):
            raise ValueError(f"the document has no place for the part {name}")
        document = f"{before}{opened}\n\n{text}\n\n{closed}{after}"
    return document
