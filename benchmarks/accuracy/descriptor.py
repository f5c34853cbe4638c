"""What a descriptor is to the benchmark, and how its values are computed once and kept."""

from __future__ import annotations

import hashlib
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.pictures import Files, Item, Seen

#: the arrays of many pictures, one row each
Arrays = Mapping[str, NDArray[Any]]

_CHUNK = 50

#: pictures that a descriptor is timed on
_TIMED = 40


class Descriptor(ABC):
    """One way to describe a picture and to compare two of them.

    `key` names the kept values and changes when they would; `bytes` is what one picture takes in an index.
    """

    key: str
    bytes: int

    @abstractmethod
    def describe(self, seen: Seen) -> dict[str, NDArray[Any]]:
        """The values of one picture."""

    @abstractmethod
    def similarity(self, queries: Arrays, index: Arrays) -> NDArray[np.float32]:
        """[queries, index], larger is nearer."""


def similarities(
    descriptor: Descriptor, queries: Sequence[Item], index: Sequence[Item], files: Files, work: Path
) -> NDArray[np.float32]:
    """[queries, index], computed once and kept."""
    kept = work / descriptor.key / f"{type(descriptor).__name__}-{_digest([*queries, *index])}.npy"
    if not kept.exists():
        asked, stored = (described([descriptor], items, files, work) for items in (queries, index))
        partial = kept.with_suffix(".partial.npy")
        np.save(partial, descriptor.similarity(asked[descriptor.key], stored[descriptor.key]))
        partial.replace(kept)
    similarity: NDArray[np.float32] = np.load(kept)
    return similarity


def described(
    descriptors: Sequence[Descriptor], items: Sequence[Item], files: Files, work: Path
) -> dict[str, dict[str, NDArray[Any]]]:
    """The values of every picture, by descriptor key. What is kept is not computed again: a run that was
    broken off goes on where it was."""
    distinct = list({descriptor.key: descriptor for descriptor in descriptors}.values())
    parts: dict[str, list[Arrays]] = {descriptor.key: [] for descriptor in distinct}
    start = time.monotonic()
    for number, chunk in enumerate(_chunks(items)):
        name = f"{_digest(chunk)}.npz"
        kept = {descriptor.key: work / descriptor.key / name for descriptor in distinct}
        missing = [descriptor for descriptor in distinct if not kept[descriptor.key].exists()]
        if missing:
            _compute(missing, chunk, files, kept)
            done = number * _CHUNK + len(chunk)
            print(f"  {done} of {len(items)}, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
        for key, file in kept.items():
            with np.load(file) as arrays:
                parts[key].append(dict(arrays))
    return {
        key: {name: np.concatenate([part[name] for part in chunks]) for name in chunks[0]}
        for key, chunks in parts.items()
    }


def _digest(items: Sequence[Item]) -> str:
    return hashlib.sha256("\n".join(item.name for item in items).encode()).hexdigest()[:16]


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _CHUNK):
        yield items[start : start + _CHUNK]


def _compute(
    descriptors: Sequence[Descriptor], items: Sequence[Item], files: Files, kept: Mapping[str, Path]
) -> None:
    rows: dict[str, list[dict[str, NDArray[Any]]]] = {descriptor.key: [] for descriptor in descriptors}
    for item in items:
        seen = files.read(item)
        for descriptor in descriptors:
            rows[descriptor.key].append(descriptor.describe(seen))
    for key, values in rows.items():
        kept[key].parent.mkdir(parents=True, exist_ok=True)
        partial = kept[key].with_suffix(".partial.npz")
        arrays: dict[str, Any] = {name: np.stack([row[name] for row in values]) for name in values[0]}
        np.savez(partial, **arrays)
        partial.replace(kept[key])


def milliseconds(descriptor: Descriptor, items: Sequence[Item], files: Files, work: Path) -> float:
    """CPU time to describe one picture from the bytes of its file, decoding included: the median of the bests
    of three, measured once and kept."""
    kept = work / descriptor.key / "milliseconds"
    if not kept.exists():
        best = [min(_seconds(descriptor, files.read(item).data) for _ in range(3)) for item in items[:_TIMED]]
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(str(1000 * float(np.median(best))), encoding="utf-8")
    return float(kept.read_text(encoding="utf-8"))


def _seconds(descriptor: Descriptor, data: bytes) -> float:
    start = time.process_time()
    descriptor.describe(Seen(data))
    return time.process_time() - start
