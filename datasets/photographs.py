"""Pictures for training and validation: the listing, the split, near-duplicates and the decoded cache.

The cache holds every picture once as a ``CACHE_SIZE`` square of RGB bytes (squashed by area averaging, as the
product does), so that training reads one memory-mapped array instead of decoding files.

Command line: ``python -m datasets.photographs --dataset <pictures> --cache <folder>``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Bytes = NDArray[np.uint8]

CACHE_SIZE = 192
SPLIT_SEED = "facsimile-split-1"
ORIGINALS, NEGATIVES, DISTRACTORS = 250, 1150, 600
BURSTS = ("Motorbikes", "airplanes", "Faces", "car_side")
"""Folders of look-alikes (one template, one room, one face): never originals, and "hard" as negatives."""
LEFT_OUT = ("Faces_easy",)
"""Folders not used at all: ``Faces_easy`` is cut out of ``Faces``."""
DUPLICATE_DISTANCE = 60
"""pHash bits (of 256, best of 8 orientations) up to which two pictures count as near-duplicates."""


@dataclass(frozen=True)
class Split:
    """Positions (in the sorted listing) of the pictures of each part."""

    originals: NDArray[np.int64]
    distractors: NDArray[np.int64]
    negatives: NDArray[np.int64]
    train: NDArray[np.int64]
    plain_negatives: NDArray[np.bool_]


def list_images(dataset: Path) -> list[str]:
    """Relative paths of all pictures, sorted, without the left-out folders."""
    found = (p.relative_to(dataset).as_posix() for p in dataset.rglob("*.jpg"))
    return sorted(path for path in found if path.split("/")[0] not in LEFT_OUT)


def open_rgb(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def square(image: Image.Image, size: int) -> Bytes:
    """The product's input: squashed to ``size`` x ``size`` by area averaging."""
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))


def phash_signs(images: Bytes) -> NDArray[np.float32]:
    """256-bit perceptual hashes of square pictures as -1/+1, in 8 orientations: ``[n, 8, 256]``."""
    side, keep = 64, 16
    frequencies = np.arange(1, keep + 1)[:, None]
    basis = np.cos(np.pi * frequencies * (2 * np.arange(side)[None] + 1) / (2 * side)).astype(np.float32)
    flips = np.where(np.arange(1, keep + 1) % 2 == 1, -1.0, 1.0).astype(np.float32)
    result = np.empty((len(images), 8, keep * keep), np.float32)
    step = images.shape[1] // side
    for index, picture in enumerate(images):
        gray = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        gray = gray.reshape(side, step, side, step).mean(axis=(1, 3))
        spectrum = basis @ gray @ basis.T
        for variant in range(8):
            turned = spectrum
            if variant & 1:
                turned = turned * flips[None, :]
            if variant & 2:
                turned = turned * flips[:, None]
            if variant & 4:
                turned = turned.T
            result[index, variant] = np.where(turned > np.median(turned), 1.0, -1.0).ravel()
    return result


def near_pairs(images: Bytes, limit: int) -> NDArray[np.int32]:
    """Pairs of pictures within ``limit`` bits in the best orientation: rows ``(first, second, distance)``."""
    signs = phash_signs(images)
    plain = np.ascontiguousarray(signs[:, 0])
    rows: list[NDArray[np.int32]] = []
    for start in range(0, len(images), 512):
        block = signs[start : start + 512]
        best = np.full((len(block), len(images)), -256.0, np.float32)
        for variant in range(8):
            np.maximum(best, block[:, variant] @ plain.T, out=best)
        distance = ((256 - best) / 2).astype(np.int32)
        first, second = np.nonzero(distance <= limit)
        keep = first + start < second
        first, second = first[keep], second[keep]
        rows.append(np.stack([first + start, second, distance[first, second]], axis=1).astype(np.int32))
    return np.concatenate(rows)


def known_duplicates() -> list[tuple[str, str]]:
    """Pairs that were seen by eye to show the same picture although their hashes differ more."""
    path = Path(__file__).parent / "near_duplicates.json"
    if not path.exists():
        return []
    return [(str(a), str(b)) for a, b in json.loads(path.read_text(encoding="utf-8"))]


@dataclass
class Library:
    """The decoded pictures, their relative paths, and who is a near-duplicate of whom."""

    paths: list[str]
    images: Bytes
    pairs: NDArray[np.int32]

    @staticmethod
    def open(cache: Path) -> Library:
        paths = json.loads((cache / "paths.json").read_text(encoding="utf-8"))
        images = np.load(cache / f"images-{CACHE_SIZE}.npy", mmap_mode="r")
        return Library(paths=paths, images=images, pairs=np.load(cache / "pairs.npy"))

    def duplicate_pairs(self) -> list[tuple[int, int]]:
        near = self.pairs[self.pairs[:, 2] <= DUPLICATE_DISTANCE]
        position = {path: index for index, path in enumerate(self.paths)}
        seen = [(position[a], position[b]) for a, b in known_duplicates() if a in position and b in position]
        return [(int(a), int(b)) for a, b, _ in near] + seen

    def groups(self) -> NDArray[np.int64]:
        """One number per picture, shared by near-duplicates (transitively): such pairs are never
        negatives.
        """
        parent = np.arange(len(self.paths))

        def root(index: int) -> int:
            while parent[index] != index:
                parent[index] = parent[parent[index]]
                index = int(parent[index])
            return index

        for a, b in self.duplicate_pairs():
            parent[root(a)] = root(b)
        return np.array([root(i) for i in range(len(self.paths))], np.int64)

    def split(self) -> Split:
        """Held-out originals, distractors and negatives by hash of the path; the rest is for training.

        Originals have no near-duplicate at all; negatives near to an indexed picture are dropped.
        """
        digests = [hashlib.sha256(f"{SPLIT_SEED}:{path}".encode()).hexdigest() for path in self.paths]
        order = sorted(range(len(self.paths)), key=digests.__getitem__)
        burst = [path.split("/")[0] in BURSTS for path in self.paths]
        near: dict[int, set[int]] = {}
        for a, b in self.duplicate_pairs():
            near.setdefault(a, set()).add(b)
            near.setdefault(b, set()).add(a)
        originals = [i for i in order if not burst[i] and i not in near][:ORIGINALS]
        taken = set(originals)
        rest = [i for i in order if i not in taken]
        negatives, rest = rest[:NEGATIVES], rest[NEGATIVES:]
        distractors, train = rest[:DISTRACTORS], rest[DISTRACTORS:]
        indexed = taken.union(distractors, train)
        negatives = [i for i in negatives if not near.get(i, set()) & indexed]
        return Split(
            originals=np.array(originals),
            distractors=np.array(distractors),
            negatives=np.array(negatives),
            train=np.array(sorted(train)),
            plain_negatives=np.array([not burst[i] for i in negatives]),
        )


def build(dataset: Path, cache: Path) -> None:
    """Decode everything once and note the near-duplicates."""
    cache.mkdir(parents=True, exist_ok=True)
    paths = list_images(dataset)
    images = np.empty((len(paths), CACHE_SIZE, CACHE_SIZE, 3), np.uint8)
    for index, path in enumerate(paths):
        images[index] = square(open_rgb(dataset / path), CACHE_SIZE)
    np.save(cache / f"images-{CACHE_SIZE}.npy", images)
    np.save(cache / "pairs.npy", near_pairs(images, 90))
    (cache / "paths.json").write_text(json.dumps(paths), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--dataset", type=Path, required=True, help="folder of pictures, one folder per category"
    )
    parser.add_argument("--cache", type=Path, required=True, help="folder for the decoded pictures")
    arguments = parser.parse_args()
    build(arguments.dataset, arguments.cache)
    split = Library.open(arguments.cache).split()
    for name in ("originals", "distractors", "negatives", "train"):
        print(f"{name:12} {len(getattr(split, name))}")


if __name__ == "__main__":
    main()
