"""Validation of a copy network: held-out originals under 21 attacks, against an index of thousands.

The first of them come also under the attacks of ``training/wide_attacks.py``, and ``training/lookalikes.py``
measures look-alikes.

``python -m training.validate prepare --dataset ... --cache ...`` makes the queries once; ``python -m
training.validate run --cache ... --checkpoint ...`` (or ``--onnx ...``) scores a network.

Queries: every held-out original under every attack. Index: the originals, the held-out distractors, and
training pictures up to ``INDEX_SIZE``. Negatives: held-out pictures that are not in the index and are not
near to any picture in it; the "plain" ones are outside the folders of look-alikes
(``datasets.photographs.BURSTS``).

Figures: µAP is the micro average precision of the best match of every query and every negative;
``recall@0fp`` is the share of queries whose best match is right and scores above every negative's best
match.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray

from datasets.photographs import Bytes, Library, Split, open_rgb, square
from training.attacks import ATTACKS, attack
from training.lookalikes import as_json, evaluate_alike, prepare_alike
from training.lookalikes import table as table_alike
from training.network import load_network
from training.wide_attacks import OTHERS, WIDE_ATTACKS, wide_attack

Floats = NDArray[np.float32]
Embed = Callable[[Bytes], Floats]

SIZES = (64, 96, 128, 192)
INDEX_SIZE = 5000
BATCH = 64
WIDE_ORIGINALS = 125
WIDE_SIZE = 192


def prepare(dataset: Path, cache: Path, sizes: tuple[int, ...] = SIZES) -> None:
    """Write the attacked queries and all pictures at every size as squares of bytes."""
    library = Library.open(cache)
    split = library.split()
    backgrounds = split.negatives
    rows: dict[int, list[Bytes]] = {size: [] for size in sizes}
    for position in split.originals:
        original = open_rgb(dataset / library.paths[position])
        background = open_rgb(dataset / library.paths[backgrounds[int(position) % len(backgrounds)]])
        for name in ATTACKS:
            attacked = attack(name, original, int(position), background)
            for size in sizes:
                rows[size].append(square(attacked, size))
    for size in sizes:
        np.save(cache / f"queries-{size}.npy", np.stack(rows[size]))
    sizes = tuple(size for size in sizes if not (cache / f"plain-{size}.npy").exists())
    everything = {size: np.empty((len(library.paths), size, size, 3), np.uint8) for size in sizes}
    for index, path in enumerate(library.paths):
        image = open_rgb(dataset / path)
        for size in sizes:
            everything[size][index] = square(image, size)
    for size in sizes:
        np.save(cache / f"plain-{size}.npy", everything[size])


def prepare_wide(dataset: Path, cache: Path) -> None:
    """Write the queries of the wider attacks on the first originals."""
    library = Library.open(cache)
    split = library.split()
    rows: list[Bytes] = []
    for position in split.originals[:WIDE_ORIGINALS]:
        original = open_rgb(dataset / library.paths[position])
        first = int(position) % (len(split.negatives) - OTHERS)
        others = [open_rgb(dataset / library.paths[i]) for i in split.negatives[first : first + OTHERS]]
        rows += [
            square(wide_attack(name, original, int(position), others), WIDE_SIZE) for name in WIDE_ATTACKS
        ]
    np.save(cache / f"wide-{WIDE_SIZE}.npy", np.stack(rows))


@dataclass
class Scores:
    """What one evaluation found."""

    overall: dict[str, float]
    per_attack: dict[str, dict[str, float]]

    def as_dict(self) -> dict[str, Any]:
        return {**self.overall, "attacks": self.per_attack}

    def table(self) -> str:
        lines = [
            "| attack | recall@1 | recall@0fp (plain) | top 100 | cosine |",
            "| --- | --- | --- | --- | --- |",
        ]
        for name, values in self.per_attack.items():
            shown = (values["recall@1"], values["recall@0fp_plain"], values["top100"])
            figures = " | ".join(f"{100 * v:.1f}" for v in shown)
            lines.append(f"| {name} | {figures} | {values['cosine']:.2f} |")
        head = ", ".join(f"{k} {v:.4f}" for k, v in self.overall.items())
        return head + "\n\n" + "\n".join(lines)


def micro_average_precision(right: NDArray[np.bool_], scores: Floats, queries: int) -> float:
    """Average precision over all best matches in order of score, divided by the number of real queries."""
    order = np.argsort(-scores, kind="stable")
    hits = right[order]
    precision = np.cumsum(hits) / (np.arange(len(hits)) + 1)
    return float((precision * hits).sum() / queries)


def evaluate(
    embed: Embed,
    cache: Path,
    size: int,
    originals: int | None = None,
    index_size: int = INDEX_SIZE,
    wide: bool = False,
) -> Scores:
    """Score ``embed``, squares of bytes to unit vectors; fewer ``originals``, a small index: a quick run."""
    library = Library.open(cache)
    split = library.split()
    plain = np.load(cache / f"plain-{size}.npy", mmap_mode="r")
    names = list(WIDE_ATTACKS if wide else ATTACKS)
    queries = np.load(cache / f"{'wide' if wide else 'queries'}-{size}.npy", mmap_mode="r")
    indexed = index_positions(split, index_size)
    vectors = embed(plain[indexed])
    available = len(queries) // len(names)
    wanted = available if originals is None else min(originals, available)
    attacked = embed(queries[: wanted * len(names)])
    negatives = embed(plain[split.negatives])
    return score(split, vectors, attacked, negatives, names)


def index_positions(split: Split, index_size: int) -> NDArray[np.int64]:
    """The index: originals, unseen distractors, then training pictures, evenly drawn."""
    missing = index_size - len(split.originals) - len(split.distractors)
    drawn = split.train[np.linspace(0, len(split.train) - 1, missing).astype(np.int64)]
    return np.concatenate([split.originals, split.distractors, drawn])


def score(split: Split, vectors: Floats, attacked: Floats, negatives: Floats, names: list[str]) -> Scores:
    truth = np.repeat(np.arange(len(attacked) // len(names)), len(names))
    similarity = attacked @ vectors.T
    own = similarity[np.arange(len(truth)), truth]
    rank = (similarity >= own[:, None]).sum(axis=1)
    best, right = similarity.max(axis=1), rank == 1
    negative = negatives @ vectors.T
    worst = negative.max(axis=1)
    plain = worst[split.plain_negatives]
    all_scores = np.concatenate([best, worst])
    all_right = np.concatenate([right, np.zeros(len(worst), np.bool_)])
    unseen = slice(len(split.originals), len(split.originals) + len(split.distractors))
    seen = slice(unseen.stop, unseen.stop + len(split.distractors))
    overall = {
        "uap": micro_average_precision(all_right, all_scores, len(truth)),
        "recall@1": float(right.mean()),
        "recall@0fp_plain": float((right & (best > plain.max())).mean()),
        "recall@0fp_all": float((right & (best > worst.max())).mean()),
        "recall@fpr1_plain": float((right & (best > np.quantile(plain, 0.99))).mean()),
        "top100": float((rank <= 100).mean()),
        "threshold_plain": float(plain.max()),
        "threshold_all": float(worst.max()),
        "positive_mean": float(own.mean()),
        "level": float(np.quantile(own, 0.2)),
        "negative_mean": float(negative.mean()),
        "max_to_unseen": float(negative[:, unseen].max(axis=1).mean()),
        "max_to_seen": float(negative[:, seen].max(axis=1).mean()),
    }
    per_attack: dict[str, dict[str, float]] = {}
    for index, name in enumerate(names):
        rows = np.arange(index, len(truth), len(names))
        per_attack[name] = {
            "recall@1": float(right[rows].mean()),
            "recall@0fp_plain": float((right[rows] & (best[rows] > plain.max())).mean()),
            "top100": float((rank[rows] <= 100).mean()),
            "cosine": float(np.median(own[rows])),
        }
    return Scores(overall, per_attack)


def torch_embed(network: torch.nn.Module) -> Embed:
    """Wrap a torch network."""

    def embed(images: Bytes) -> Floats:
        device = next(network.parameters()).device
        rows: list[Floats] = []
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                pixels = torch.from_numpy(np.array(images[start : start + BATCH])).to(device)
                rows.append(network(pixels.permute(0, 3, 1, 2)).cpu().numpy())
        return np.concatenate(rows)

    return embed


def onnx_embed(path: Path) -> tuple[Embed, int]:
    """Wrap an exported network; also says its input size."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    source = session.get_inputs()[0]

    def embed(images: Bytes) -> Floats:
        rows: list[Floats] = []
        for start in range(0, len(images), BATCH):
            pixels = np.ascontiguousarray(images[start : start + BATCH].transpose(0, 3, 1, 2))
            rows.append(np.asarray(session.run(["vector"], {source.name: pixels})[0]))
        return np.concatenate(rows)

    return embed, int(source.shape[2])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("prepare", "run"))
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, help="for prepare: the folder of pictures")
    parser.add_argument("--checkpoint", type=Path, help="for run: a checkpoint of training.train")
    parser.add_argument("--onnx", type=Path, help="for run: an exported network")
    parser.add_argument("--size", type=int, help="input size (default: the checkpoint's or the export's own)")
    parser.add_argument("--centre", type=int, help="as in training.train, in place of the checkpoint's own")
    parser.add_argument("--shrink", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--originals", type=int, help="use only so many originals")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    if arguments.action == "prepare":
        if arguments.dataset is None:
            parser.error("prepare needs --dataset")
        prepare(arguments.dataset, arguments.cache)
        prepare_wide(arguments.dataset, arguments.cache)
        if (arguments.cache / "rendered" / "items.json").exists():
            prepare_alike(arguments.cache, WIDE_SIZE)
        return
    if arguments.onnx is not None:
        embed, size = onnx_embed(arguments.onnx)
    elif arguments.checkpoint is not None:
        torch.set_num_threads(1)
        network, size = load_network(arguments.checkpoint)
        if arguments.centre is not None:
            network.config = network.config.with_views(arguments.centre, arguments.shrink, arguments.share)
        embed = torch_embed(network)
    else:
        parser.error("run needs --checkpoint or --onnx")
    began = time.time()
    side = arguments.size or size
    scores = evaluate(embed, arguments.cache, side, arguments.originals)
    print(scores.table())
    figures: dict[str, Any] = scores.as_dict()
    if side == WIDE_SIZE and (arguments.cache / f"alike-queries-{WIDE_SIZE}.npy").exists():
        wide = evaluate(embed, arguments.cache, side, arguments.originals, wide=True)
        found = evaluate_alike(embed, arguments.cache, side, scores.overall["level"])
        print(f"\n{wide.table()}\n\n{table_alike(found)}")
        figures |= {"wide": wide.as_dict(), "alike": as_json(found)}
    print(f"\n{time.time() - began:.0f} s")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
