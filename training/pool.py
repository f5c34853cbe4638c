"""Everything that is trained on under one numbering: Caltech 101, the gathered sources, rendered families."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.photographs import Bytes, Library
from training.gather import HELD_OUT, SOURCES, joined, listed_held_out


class Images:
    """Squares of several arrays (of different sizes) under one running number."""

    def __init__(self, blocks: list[Bytes]) -> None:
        self.blocks = blocks
        self.starts = np.cumsum([0] + [len(block) for block in blocks])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, index: int) -> Bytes:
        block = int(np.searchsorted(self.starts, index, side="right")) - 1
        square: Bytes = self.blocks[block][index - int(self.starts[block])]
        return square


@dataclass(frozen=True)
class Pool:
    """``train`` are the positions that may be used; ``group`` is shared by near-duplicates, which are never
    negatives; ``family`` is shared by members of one rendered template, which always are, and -1 elsewhere.
    """

    images: Images
    train: NDArray[np.int64]
    group: NDArray[np.int64]
    family: NDArray[np.int64]

    @staticmethod
    def open(cache: Path, listing: Path = HELD_OUT) -> Pool:
        """Sources and rendered families that are not there are left out."""
        library = Library.open(cache)
        blocks: list[Bytes] = [library.images]
        train = [library.split().train]
        group = [library.groups()]
        family = [np.full(len(library.images), -1, np.int64)]
        start = len(library.images)
        digests: list[str] = []
        for source in SOURCES:
            folder = cache / "sources" / source.name
            if (folder / "items.json").exists():
                digests += [
                    str(row[0]) for row in json.loads((folder / "items.json").read_text(encoding="utf-8"))
                ]
                blocks.append(np.load(folder / "images.npy", mmap_mode="r"))
        if digests:
            held_out = listed_held_out(listing)
            allowed = np.array([digest not in held_out for digest in digests])
            train.append(start + np.flatnonzero(allowed))
            group.append(start + joined(len(digests), np.load(cache / "sources" / "pairs.npy")))
            family.append(np.full(len(digests), -1, np.int64))
            start += len(digests)
        if (cache / "rendered" / "items.json").exists():
            rows = json.loads((cache / "rendered" / "items.json").read_text(encoding="utf-8"))
            blocks.append(np.load(cache / "rendered" / "images.npy", mmap_mode="r"))
            numbers = {tuple(row): number for number, row in enumerate(rows)}
            train.append(start + np.flatnonzero([row[0] == "train" for row in rows]))
            group.append(start + np.arange(len(rows)))
            family.append(np.array([numbers[tuple(row)] for row in rows]))
        return Pool(Images(blocks), *(np.concatenate(part) for part in (train, group, family)))
