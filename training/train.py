"""Train the copy network: ``python -m training.train --cache <cache> --run <folder> --minutes 90``.

One process, one command. A run that was broken off goes on from ``<run>/checkpoint.pt`` when the same
command is given again; ``--start`` begins a new stage (its own schedule) from the weights of an earlier
checkpoint. The schedule is a function of the share of the stage that is done: of the training time with
``--minutes``, or of the steps with ``--steps`` (which repeats exactly for one seed and one machine).
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from datasets.photographs import Bytes
from training.edits import Editor
from training.losses import Batch, copy_losses
from training.network import CopyNetwork, NetworkConfig
from training.optimise import optimisers
from training.pool import Pool
from training.validate import evaluate, torch_embed


@dataclass(frozen=True)
class Phase:
    """A part of a stage: up to the share ``until`` of it, pictures of ``size``, ``batch`` pairs per step."""

    size: int
    batch: int
    until: float


def parse_phases(text: str) -> list[Phase]:
    """``64x256:0.5,96x192:1`` means 64 px and 256 pairs for the first half, then 96 px and 192 pairs."""
    phases = []
    for part in text.split(","):
        shape, until = part.split(":")
        size, batch = shape.split("x")
        phases.append(Phase(int(size), int(batch), float(until)))
    return phases


class Pairs:
    """Batches of pairs. The edits of a step are fixed by the seed and the step's number.

    With ``cluster`` above one, every epoch is ordered so that pictures come together with those that the
    network confuses them with (by the vectors of the last epochs), and rendered ones with members of their
    family: the negatives of a batch are then hard.
    """

    def __init__(self, pool: Pool, seed: int, cluster: int, dimensions: int) -> None:
        self.pool = pool
        self.train = pool.train
        self.seed = seed
        self.cluster = cluster
        self.table = np.zeros((len(self.train), dimensions), np.float16)
        self.row_of = np.full(len(pool.images), -1, np.int64)
        self.row_of[self.train] = np.arange(len(self.train))
        self.epoch, self.order = -1, self.train

    def remember(self, positions: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        self.table[self.row_of[positions]] = vectors

    def begin(self, epoch: int) -> None:
        """Fix the order of an epoch."""
        order = np.random.default_rng([self.seed, 1, epoch]).permutation(len(self.train))
        if self.cluster > 1:
            group, family = self.pool.group[self.train], self.pool.family[self.train]
            order = clustered(order, self.table.astype(np.float32), group, family, self.cluster)
        self.epoch, self.order = epoch, self.train[order]

    def positions(self, first: int, count: int) -> NDArray[np.int64]:
        """``count`` pictures from the endless stream of shuffled epochs."""
        result: list[int] = []
        while len(result) < count:
            epoch, offset = divmod(first + len(result), len(self.train))
            if epoch != self.epoch:
                self.begin(epoch)
            result.extend(self.order[offset : offset + count - len(result)])
        return np.array(result)

    def batch(
        self, step: int, first: int, count: int, size: int, strength: float
    ) -> tuple[Bytes, dict[str, Any]]:
        chosen = self.positions(first, count)
        rng = np.random.default_rng([self.seed, 2, step])
        editor = Editor(self.pool.images, self.train, rng, size, chosen)
        images = np.empty((2 * count, size, size, 3), np.uint8)
        target = np.zeros((count, count), np.float32)
        shown = [[int(group)] for group in np.tile(self.pool.group[chosen], 2)]
        for row, position in enumerate(chosen.tolist()):
            rendered = self.pool.family[position] >= 0
            box = editor.crop_box(0.45) if editor.chance(0.06 if rendered else 0.3) else None
            mirrored = editor.chance(0.15 if rendered else 0.5)
            images[row] = editor.light(position, box, mirrored)
            edited = editor.strong(position, box, mirrored, row, strength * (0.6 if rendered else 1.0))
            images[count + row] = edited.image
            target[row, row] = edited.weight
            for mate, weight in edited.parts:
                target[row, mate] += weight
                shown[count + row].append(int(self.pool.group[chosen[mate]]))
            shown[count + row] += [int(self.pool.group[other]) for other in edited.behind]
        self.chosen = chosen
        return images, {"target": target, "related": sharing(shown)}


def sharing(shown: list[list[int]]) -> NDArray[np.bool_]:
    """Which pictures have a group in common, given the groups that each shows."""
    column = {group: number for number, group in enumerate(sorted({g for groups in shown for g in groups}))}
    incidence = np.zeros((len(shown), len(column)), np.float32)
    for row, groups in enumerate(shown):
        incidence[row, [column[group] for group in groups]] = 1
    result: NDArray[np.bool_] = incidence @ incidence.T > 0
    return result


def clustered(
    order: NDArray[np.int64],
    vectors: NDArray[np.float32],
    groups: NDArray[np.int64],
    families: NDArray[np.int64],
    cluster: int,
) -> NDArray[np.int64]:
    """Go through ``order``, each picture followed by its nearest ones that have not had their turn yet.

    Near-duplicates (by group, or nearly the same vector) are not brought together. A rendered picture is
    followed by members of its family instead, and never by a photograph, which it may show.
    """
    members: dict[int, list[int]] = {}
    for row in order[families[order] >= 0].tolist():
        members.setdefault(int(families[row]), []).append(row)
    nearest = nearest_rows(vectors, groups, families, 4 * cluster)
    free = np.ones(len(vectors), np.bool_)
    result: list[int] = []
    for head in order.tolist():
        if not free[head]:
            continue
        free[head] = False
        family = int(families[head])
        candidates = members[family] if family >= 0 else nearest[head]
        mates = [int(i) for i in candidates if free[i]][: cluster - 1]
        free[mates] = False
        result += [head, *mates]
    return np.array(result)


def nearest_rows(
    vectors: NDArray[np.float32], groups: NDArray[np.int64], families: NDArray[np.int64], count: int
) -> dict[int, NDArray[np.int64]]:
    """For each photograph with a vector, the most similar others."""
    real = np.flatnonzero((families < 0) & vectors.any(axis=1))
    kept, own = vectors[real], groups[real]
    result: dict[int, NDArray[np.int64]] = {int(row): real[:0] for row in np.flatnonzero(families < 0)}
    if len(real) <= count:
        return result
    for start in range(0, len(real), 512):
        similarity = kept[start : start + 512] @ kept.T
        similarity[(own[start : start + 512, None] == own[None]) | (similarity > 0.93)] = -1
        found = np.argpartition(-similarity, count, axis=1)[:, :count]
        ranked = np.argsort(-np.take_along_axis(similarity, found, axis=1), axis=1)
        for row, mates in zip(
            real[start : start + 512].tolist(), np.take_along_axis(found, ranked, 1), strict=True
        ):
            result[row] = real[mates]
    return result


def save_atomically(state: dict[str, Any], path: Path) -> None:
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def widened(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a checkpoint, small or not, as 32-bit floats."""
    return {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}


@torch.no_grad()
def update_average(average: CopyNetwork, network: CopyNetwork, decay: float) -> None:
    for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(new, 1 - decay)
        else:
            kept.copy_(new)


class Trainer:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.run: Path = options.run
        self.run.mkdir(parents=True, exist_ok=True)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.phases = parse_phases(options.phases)
        torch.manual_seed(options.seed)
        config = NetworkConfig(
            stem=options.stem,
            widths=tuple(options.widths),
            depths=tuple(options.depths),
            pooled=tuple(options.pooled),
            dimensions=options.dimensions,
        )
        self.step, self.seen, self.elapsed = 0, 0, 0.0
        checkpoint = self.run / "checkpoint.pt"
        resumed = (
            torch.load(checkpoint, map_location="cpu", weights_only=True) if checkpoint.exists() else None
        )
        started = torch.load(options.start, map_location="cpu", weights_only=True) if options.start else None
        source = resumed or started
        if source is not None:
            config = NetworkConfig.from_dict(source["network"])
        config = config.with_views(options.centre, options.shrink, options.share)
        self.network = CopyNetwork(config).to(self.device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.network).eval()
        self.optimisers = optimisers(self.network, options.optimiser, options.rate, options.decay)
        if resumed is not None:
            self.network.load_state_dict(widened(resumed["weights"]))
            self.average.load_state_dict(widened(resumed["average"]))
            if (
                "optimisers" in resumed
            ):  # a small checkpoint has none: the momentum builds up again in some steps
                for optimiser, state in zip(self.optimisers, resumed["optimisers"], strict=True):
                    optimiser.load_state_dict(state)
            self.step, self.seen, self.elapsed = resumed["step"], resumed["seen"], resumed["elapsed"]
        elif started is not None:
            weights = widened(started["average"])
            self.network.load_state_dict(weights)
            self.average.load_state_dict(weights)
        pool = Pool.open(options.cache)
        self.pairs = Pairs(pool, options.seed, options.cluster, config.dimensions)
        print(
            f"{len(pool.train)} pictures, {int((pool.family[pool.train] >= 0).sum())} of them rendered",
            flush=True,
        )
        table = source.get("table") if source is not None else None
        if table is not None and table.shape == self.pairs.table.shape:
            self.pairs.table = table.numpy()
        self.stopped = False
        self.config = config

    def progress(self) -> float:
        if self.options.steps:
            return float(self.step / self.options.steps)
        return float(self.elapsed / (self.options.minutes * 60))

    def rate(self, done: float) -> float:
        """Linear warm-up, then half a cosine down to a hundredth."""
        warm = self.options.warmup
        if done < warm:
            return float(self.options.rate * max(0.02, done / warm))
        share = min(1.0, (done - warm) / (1 - warm))
        return float(self.options.rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share))))

    def log(self, record: dict[str, Any]) -> None:
        record = {"step": self.step, "seen": self.seen, "elapsed": round(self.elapsed, 1), **record}
        with (self.run / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")

    def save(self, size: int) -> None:
        state = {
            "network": self.config.as_dict(),
            "weights": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "seen": self.seen,
            "elapsed": self.elapsed,
            "size": size,
            "table": torch.from_numpy(self.pairs.table),
            "options": {name: str(value) for name, value in vars(self.options).items()},
        }
        save_atomically(state, self.run / "checkpoint.pt")

    def validate(self, size: int) -> None:
        began = time.time()
        scores = evaluate(torch_embed(self.average), self.options.cache, size, originals=60, index_size=2500)
        self.log({"validation": scores.as_dict(), "size": size, "seconds": round(time.time() - began, 1)})
        shown = " ".join(f"{k}={v:.3f}" for k, v in scores.overall.items())
        weak = sorted(scores.per_attack.items(), key=lambda item: item[1]["recall@1"])[:6]
        print(
            f"  validation @{size}: {shown}",
            " ".join(f"{k}:{v['recall@1']:.2f}" for k, v in weak),
            flush=True,
        )

    def losses(self, images: Bytes, meta: dict[str, Any]) -> tuple[Tensor, dict[str, float]]:
        pixels = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.bfloat16):
            vectors = self.network(pixels)
        plain, edited = vectors.chunk(2)
        fields = {name: torch.from_numpy(value).to(self.device) for name, value in meta.items()}
        contrast, spread, hit = copy_losses(Batch(plain, edited, **fields), self.options.temperature)
        self.pairs.remember(self.pairs.chosen, plain.detach().cpu().numpy())
        figures = {"contrast": contrast.item(), "spread": spread.item(), "hit": hit.item()}
        return contrast + self.options.spread * spread, figures

    def loop(self) -> None:
        options = self.options
        sums: dict[str, float] = {}
        self.log({"options": {name: str(value) for name, value in vars(options).items()}})
        since, last_save, last_validation = 0, self.elapsed, self.elapsed
        size = self.phases[0].size
        signal.signal(signal.SIGTERM, self.stop)
        while (done := self.progress()) < 1 and not self.stopped:
            began = time.perf_counter()
            phase = next(p for p in self.phases if done < p.until or p is self.phases[-1])
            size = phase.size
            rate = self.rate(done)
            for optimiser in self.optimisers:
                for group in optimiser.param_groups:
                    group["lr"] = rate
            strength = min(1.0, 0.3 + 0.7 * done / options.easy) if options.easy > 0 else 1.0
            images, meta = self.pairs.batch(self.step, self.seen, phase.batch, phase.size, strength)
            made = time.perf_counter()
            self.network.train()
            loss, figures = self.losses(images, meta)
            for optimiser in self.optimisers:
                optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            for optimiser in self.optimisers:
                optimiser.step()
            self.step += 1
            self.seen += phase.batch
            update_average(self.average, self.network, min(options.average, 1 - 1 / (1 + 0.5 * self.step)))
            now = time.perf_counter()
            self.elapsed += now - began
            figures |= {"edits_s": made - began, "step_s": now - began}
            for name, value in figures.items():
                sums[name] = sums.get(name, 0.0) + value
            since += 1
            if since == options.log_every:
                means = {name: round(value / since, 4) for name, value in sums.items()}
                self.log({"rate": rate, "size": size, "strength": round(strength, 3), **means})
                print(
                    f"{self.elapsed / 60:6.1f} min step {self.step} @{size} lr {rate:.5f}", means, flush=True
                )
                if not math.isfinite(means["contrast"]):
                    raise SystemExit("the loss is not finite")
                sums, since = {}, 0
            if self.elapsed - last_save > options.save_every * 60:
                self.save(size)
                last_save = self.elapsed
            if self.elapsed - last_validation > options.validate_every * 60:
                self.validate(size)
                last_validation = self.elapsed
        self.save(size)
        if not self.stopped:
            self.validate(size)

    def stop(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM: finish the step, save, end."""
        self.stopped = True


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = result.add_argument
    add(
        "--cache",
        type=Path,
        required=True,
        help="folder of datasets.photographs and training.validate",
    )
    add("--run", type=Path, required=True, help="folder for the checkpoint and the log")
    add("--start", type=Path, help="begin a new stage from this checkpoint's weights")
    add("--seed", type=int, default=20)
    add("--minutes", type=float, default=90.0, help="training time of this stage")
    add("--steps", type=int, default=0, help="steps of this stage, instead of --minutes")
    add(
        "--phases", default="64x256:0.45,96x256:0.82,128x192:1", help="size x pairs : share of the stage, ..."
    )
    add("--stem", type=int, default=24)
    add("--widths", type=int, nargs="+", default=[32, 64, 128, 256])
    add("--depths", type=int, nargs="+", default=[1, 1, 2, 1])
    add("--pooled", type=int, nargs="+", default=[2, 3], help="stages whose pooled maps feed the vector")
    add("--dimensions", type=int, default=256)
    add("--centre", type=int, default=0, help="side of the middle square of a second view (0: one view)")
    add(
        "--shrink",
        type=int,
        default=1,
        help="with --centre: how many times smaller the whole picture is seen",
    )
    add("--share", type=float, default=0.5, help="with --centre: what the middle counts for")
    add("--optimiser", choices=("muon", "adamw"), default="muon")
    add("--rate", type=float, default=4e-3)
    add("--decay", type=float, default=0.05, help="weight decay")
    add("--warmup", type=float, default=0.03, help="share of the stage")
    add(
        "--easy",
        type=float,
        default=0.1,
        help="share of the stage over which the edits grow to full strength",
    )
    add("--temperature", type=float, default=0.07)
    add("--spread", type=float, default=5.0, help="weight of the spread term")
    add("--cluster", type=int, default=4, help="look-alikes that come together in a batch (1: none)")
    add("--average", type=float, default=0.99, help="decay of the averaged weights")
    add("--log-every", type=int, default=20)
    add("--save-every", type=float, default=3.0, help="minutes")
    add("--validate-every", type=float, default=5.0, help="minutes")
    add(
        "--bfloat16",
        action="store_true",
        help="compute convolutions in bfloat16: 1.7 times as fast where the processor has AVX-512 BF16",
    )
    add("--threads", type=int, default=1)
    return result


def main() -> None:
    options = parser().parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(0)
    Trainer(options).loop()


if __name__ == "__main__":
    main()
