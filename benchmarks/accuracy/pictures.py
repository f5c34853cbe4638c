"""The pictures of the benchmark: who is indexed, who asks, and the edited files.

The split is the one that training has (`datasets.photographs`), so that what is called unseen here was never
trained on, and its rule for near-duplicates: a negative within 60 of 256 hash bits of an indexed picture, in
any orientation, or listed after a look in `datasets/near_duplicates.json`, is a copy in truth and is left
out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from datasets.photographs import Library, build
from facsimile.imaging.decode import DecodedImage, decode
from facsimile.search.evaluation.attacks import ATTACKS, attack

#: originals, unseen distractors, then training pictures up to this many
INDEX_SIZE = 5000

#: seeds of the edits: the calibration sees other edits than the benchmark
BENCHMARK_SEED, CALIBRATION_SEED = 0, 1


@dataclass(frozen=True, slots=True)
class Item:
    """A picture of the data set, as it is (`edit` empty) or edited."""

    path: str
    edit: str = ""
    seed: int = BENCHMARK_SEED

    @property
    def name(self) -> str:
        return f"{self.seed}/{self.edit}/{self.path}" if self.edit else self.path


@dataclass(frozen=True)
class Cast:
    """Who plays which part. The index begins with the originals; `unseen` counts the pictures of the index
    that no training saw, the originals among them. Queries come original by original, edit by edit."""

    index: list[Item]
    originals: int
    unseen: int
    negatives: list[Item]
    plain: np.ndarray[tuple[int], np.dtype[np.bool_]]
    seed: int = BENCHMARK_SEED

    @property
    def queries(self) -> list[Item]:
        chosen = self.index[: self.originals]
        return [Item(item.path, edit, self.seed) for item in chosen for edit in ATTACKS]

    def in_words(self) -> str:
        return (
            f"{self.originals} originals x {len(ATTACKS)} edits = {len(self.queries):,} queries; an index of "
            f"{len(self.index):,} pictures: the originals, {self.unseen - self.originals} others that no "
            f"training saw, {len(self.index) - self.unseen:,} training pictures; {len(self.negatives):,} "
            f"negatives that no training saw, {int(self.plain.sum())} of them plain."
        )

    def part(self, originals: int, index: int, negatives: int) -> Cast:
        """The first originals and negatives, and others of the index drawn by lot: for a descriptor that is
        too slow for all of them."""
        drawn = np.random.default_rng(0).permutation(np.arange(self.originals, len(self.index)))
        others = np.sort(drawn[: index - originals])
        return Cast(
            index=self.index[:originals] + [self.index[place] for place in others],
            originals=originals,
            unseen=originals + int((others < self.unseen).sum()),
            negatives=self.negatives[:negatives],
            plain=self.plain[:negatives],
            seed=self.seed,
        )


def held_out(dataset: Path, cache: Path) -> Cast:
    """The benchmark's cast: unseen originals and negatives; unseen distractors first, then trained ones."""
    library = opened(dataset, cache)
    split = library.split()
    missing = INDEX_SIZE - len(split.originals) - len(split.distractors)
    drawn = split.train[np.linspace(0, len(split.train) - 1, missing).astype(int)]
    index = np.concatenate([split.originals, split.distractors, drawn])
    return Cast(
        index=[Item(library.paths[place]) for place in index],
        originals=len(split.originals),
        unseen=len(split.originals) + len(split.distractors),
        negatives=[Item(library.paths[place]) for place in split.negatives],
        plain=split.plain_negatives,
    )


def opened(dataset: Path, cache: Path) -> Library:
    """The training code's listing and near-duplicates, made first where the cache is empty."""
    if not (cache / "paths.json").exists():
        build(dataset, cache)
    return Library.open(cache)


class Seen:
    """One picture as a descriptor gets it: the bytes, and the decoded picture on demand."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def picture(self) -> DecodedImage:
        return decode(self.data)


class Files:
    """The bytes of items; edited files are made once and kept in the work folder."""

    def __init__(self, dataset: Path, work: Path) -> None:
        self.dataset = dataset
        self.folder = work / "edited"

    def read(self, item: Item) -> Seen:
        plain = self.dataset / item.path
        if not item.edit:
            return Seen(plain.read_bytes())
        file = self.folder / str(item.seed) / item.edit / item.path
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_suffix(".partial")
            partial.write_bytes(attack(plain.read_bytes(), item.edit, item.seed))
            partial.replace(file)
        return Seen(file.read_bytes())


def beside(first: Path, second: Path) -> Image.Image:
    """Two pictures on one page, to be looked at."""
    page = Image.new("RGB", (640, 320), "white")
    for place, path in enumerate((first, second)):
        shown = Image.open(path).convert("RGB")
        shown.thumbnail((316, 316))
        page.paste(shown, (place * 320, 0))
    return page
