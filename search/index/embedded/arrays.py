"""Signatures of the embedded index as plain array files, scanned exactly.

Three files per generation: `hashes-G`, rows of five little-endian uint64 (the 256 bits of a hash, then the
slot of its record; a record with a trimmed hash has two rows, a blank one none); `panels-G`, rows of the same
kind for the panels of pictures; and `vectors-G`, rows of float32 numbered by slot (NaN where a record has
none).

The database says how many rows count. A writer holds the database's write lock, writes rows beyond that
number, and only then commits the new number; so a writer that dies leaves rows that nobody reads and the next
one overwrites. Rows that count never change: an update takes a new slot, and a slot without a record is dead.

With the number of rows the database keeps the CRC-32 of their bytes. It is compared at the first view, for
new rows when they come, and for all rows again once the file has changed, at most once in `RECHECK_SECONDS`.
"""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from facsimile.search.index.embedded.permissions import make_file

#: hashes looked at in one go: the block, its distances and their like stay in the processor's cache
BLOCK = 8192

#: bytes of a row of `hashes-G` and `panels-G`
HASH_BYTES = 40

#: how often the rows of a file that goes on changing are all compared with their checksum
RECHECK_SECONDS = 60.0

#: largest absolute cosine of vectors of length 1, which half precision rounds
LARGEST_COSINE = 1.01

#: largest distance that is told apart; 256 (the exact negative) counts as 255, to fit a byte
FARTHEST = 255

_SYNC = getattr(os, "fdatasync", os.fsync)


class Checksum(NamedTuple):
    """The CRC-32 of the first rows of a file; of no rows where an earlier version wrote them."""

    rows: int = 0
    crc: int = 0


class Checksums(NamedTuple):
    """One for each file of a generation."""

    hashes: Checksum = Checksum()
    panels: Checksum = Checksum()
    vectors: Checksum = Checksum()


class Extent(NamedTuple):
    """What of the array files counts: the generation and the numbers of rows; `dead` slots have no record."""

    generation: int
    hashes: int
    panels: int
    slots: int
    dead: int
    checksums: Checksums = Checksums()


class Findable(NamedTuple):
    """What a record is found by, each of 32 bytes: its own hashes, one or two, and those of its panels.

    A blank picture, which is like everything, has none.
    """

    own: Sequence[bytes] = ()
    panels: Sequence[bytes] = ()


class Near(NamedTuple):
    """Slots and what each costs: the Hamming distance, or the cosine with its sign turned."""

    slots: NDArray[np.int64]
    costs: NDArray[np.float32]


class ArraysDamaged(Exception):
    """An array file is not as the database says; the database can rebuild it."""


class ArrayView(NamedTuple):
    """The rows that counted in one moment; later writes never change them."""

    hashes: NDArray[np.uint64]
    panels: NDArray[np.uint64]
    vectors: NDArray[np.float32]

    def cosines(self, query: NDArray[np.float32]) -> Near:
        """Every slot that has a vector, for a query of `dims` float32."""
        # not a matrix product: BLAS would spread it over threads, which is ten times slower on a busy machine
        scores = np.vecdot(self.vectors, query)
        slots = np.flatnonzero(~np.isnan(scores))
        scores = scores[slots]
        if scores.size and max(scores.max(), -scores.min()) > LARGEST_COSINE:
            raise ArraysDamaged("a vector is not of length 1")
        return Near(slots, -scores)


def within(
    hashes: NDArray[np.uint64], queries: Sequence[NDArray[np.uint8]], radii: Sequence[int]
) -> list[Near]:
    """For each query (n variants x 32 uint8) the slots with a hash, among these rows of hash and slot, that
    one of its variants is near enough to."""
    words = [query.view("<u8") for query in queries]
    found: list[list[NDArray[np.int64]]] = [[] for _ in queries]
    costs: list[list[NDArray[np.uint8]]] = [[] for _ in queries]
    for start in range(0, len(hashes), BLOCK):
        # one plane per word of the hash: sums over planes are far quicker than over short rows
        planes = np.ascontiguousarray(hashes[start : start + BLOCK, :4].T)
        for position, (variants, radius) in enumerate(zip(words, radii, strict=True)):
            distances = _least_distances(planes, variants)
            rows = np.flatnonzero(distances <= min(radius, FARTHEST))
            if rows.size:
                found[position].append(hashes[start + rows, 4].astype(np.int64))
                costs[position].append(distances[rows])
    return [_nearest_rows(*pair) for pair in zip(found, costs, strict=True)]


def _least_distances(planes: NDArray[np.uint64], variants: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The distance of each hash (4 planes x n) to its nearest variant (m x 4)."""
    least = np.full(planes.shape[1], FARTHEST, np.uint8)
    different = np.empty_like(planes)
    counts = np.empty(planes.shape, np.uint8)
    for variant in variants:
        np.bitwise_xor(planes, variant[:, None], out=different)
        np.bitwise_count(different, out=counts)
        total = counts[0] + counts[1] + counts[2]
        np.minimum(total, FARTHEST - 64, out=total)  # 256 would wrap around to 0
        np.minimum(least, total + counts[3], out=least)
    return least


def _nearest_rows(found: list[NDArray[np.int64]], costs: list[NDArray[np.uint8]]) -> Near:
    """Each slot once, with the least distance of its rows."""
    if not found:
        return Near(np.empty(0, np.int64), np.empty(0, np.float32))
    slots, distances = np.concatenate(found), np.concatenate(costs)
    order = np.lexsort((distances, slots))
    slots, first = np.unique(slots[order], return_index=True)
    return Near(slots, distances[order][first].astype(np.float32))


class _Compared(NamedTuple):
    """Rows that were found to be as they were written: when, and in which state of the file."""

    checksum: Checksum
    changed: tuple[int, int]
    at: float


def _change_of(path: Path) -> tuple[int, int]:
    """What is another after each write to a file, by whomever."""
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise ArraysDamaged(str(error)) from error
    return found.st_ino, found.st_ctime_ns


class Arrays:
    """The array files of one folder."""

    def __init__(self, folder: Path, dims: int) -> None:
        self._folder = folder
        self._dims = dims
        self._mapped: tuple[int, ArrayView] | None = None
        self._compared: dict[Path, _Compared] = {}

    def view(self, extent: Extent) -> ArrayView:
        """The rows of this extent; maps the files anew only where they have grown.

        Raises ArraysDamaged where they are not those that were written.
        """
        mapped = self._mapped
        if mapped is None or not self._covers(mapped, extent):
            mapped = (
                extent.generation,
                ArrayView(
                    self._map(self._hashes(extent), "<u8", extent.hashes, 5),
                    self._map(self._panels(extent), "<u8", extent.panels, 5),
                    self._map(self._vectors(extent), "<f4", extent.slots, self._dims),
                ),
            )
            self._mapped = mapped
        hashes, panels, vectors = mapped[1]
        self._compare(self._hashes(extent), hashes, extent.checksums.hashes)
        self._compare(self._panels(extent), panels, extent.checksums.panels)
        self._compare(self._vectors(extent), vectors, extent.checksums.vectors)
        return ArrayView(hashes[: extent.hashes], panels[: extent.panels], vectors[: extent.slots])

    def _compare(self, path: Path, rows: NDArray[Any], checksum: Checksum) -> None:
        """Raise ArraysDamaged where rows have another checksum; looks at those alone that it has not seen."""
        if not rows[: checksum.rows].size:
            return
        now = time.monotonic()
        changed = _change_of(path)
        seen = self._compared.get(path)
        if seen is None or (seen.changed != changed and now - seen.at > RECHECK_SECONDS):
            seen = _Compared(Checksum(), changed, now)
        if seen.checksum.rows < checksum.rows:
            crc = zlib.crc32(rows[seen.checksum.rows : checksum.rows].data, seen.checksum.crc)
            seen = seen._replace(checksum=Checksum(checksum.rows, crc))
        elif seen.checksum.rows > checksum.rows:  # an earlier moment, of another thread
            return
        if seen.checksum != checksum:
            self.forget()
            raise ArraysDamaged(f"{path} does not hold what was written")
        self._compared[path] = seen

    def forget(self) -> None:
        """Map and compare everything anew."""
        self._mapped = None
        self._compared = {}

    @staticmethod
    def _covers(mapped: tuple[int, ArrayView], extent: Extent) -> bool:
        generation, (hashes, panels, vectors) = mapped
        return (
            generation == extent.generation
            and len(hashes) >= extent.hashes
            and len(panels) >= extent.panels
            and (vectors.shape[1] == 0 or len(vectors) >= extent.slots)
        )

    @staticmethod
    def _map(path: Path, kind: str, rows: int, columns: int) -> NDArray[Any]:
        if rows * columns == 0:
            return np.empty((rows, columns), kind)
        try:
            return np.asarray(np.memmap(path, kind, mode="r", shape=(rows, columns)))
        except (FileNotFoundError, ValueError) as error:  # ValueError: shorter than asked for
            raise ArraysDamaged(str(error)) from error

    def append(
        self,
        extent: Extent,
        hashes: Sequence[Findable],
        vectors: Sequence[NDArray[np.float32] | None],
    ) -> Extent:
        """Write the rows of new slots after those that count; the caller commits the extent given back."""
        own = _rows([each.own for each in hashes], extent.slots)
        panels = _rows([each.panels for each in hashes], extent.slots)
        if own:
            _write(self._hashes(extent), extent.hashes * HASH_BYTES, own)
        if panels:
            _write(self._panels(extent), extent.panels * HASH_BYTES, panels)
        block = b""
        if self._dims and vectors:
            values = np.full((len(vectors), self._dims), np.nan, "<f4")
            for row, vector in zip(values, vectors, strict=True):
                if vector is not None:
                    row[:] = vector
            block = values.tobytes()
            _write(self._vectors(extent), extent.slots * self._dims * 4, block)
        after = extent._replace(
            hashes=extent.hashes + len(own) // HASH_BYTES,
            panels=extent.panels + len(panels) // HASH_BYTES,
            slots=extent.slots + len(hashes),
        )
        return after._replace(checksums=self._checksums(extent, after, own, panels, block))

    def _checksums(self, before: Extent, after: Extent, *written: bytes) -> Checksums:
        """The checksums once these bytes were written after those that counted."""
        sizes = (HASH_BYTES, HASH_BYTES, self._dims * 4)
        numbers = ((before.hashes, after.hashes), (before.panels, after.panels), (before.slots, after.slots))
        sums = []
        for path, size, (start, end), sum_, data in zip(
            self._paths(before), sizes, numbers, before.checksums, written, strict=True
        ):
            earlier = _read(path, sum_.rows * size, (start - sum_.rows) * size)
            sums.append(Checksum(end, zlib.crc32(data, zlib.crc32(earlier, sum_.crc))))
        return Checksums(*sums)

    def check(self, extent: Extent) -> None:
        """Raise ArraysDamaged where the files do not hold all rows of the extent."""
        for path, size in (
            (self._hashes(extent), extent.hashes * HASH_BYTES),
            (self._panels(extent), extent.panels * HASH_BYTES),
            (self._vectors(extent), extent.slots * self._dims * 4),
        ):
            if size and (not path.exists() or path.stat().st_size < size):
                raise ArraysDamaged(f"{path} does not hold {size} bytes")

    def strays(self, extent: Extent) -> list[Path]:
        """Files of other generations: of one that was replaced, or of a rebuild that was never finished."""
        current = self._paths(extent)
        return [path for path in array_files(self._folder) if path not in current]

    def _paths(self, extent: Extent) -> tuple[Path, Path, Path]:
        return self._hashes(extent), self._panels(extent), self._vectors(extent)

    def _hashes(self, extent: Extent) -> Path:
        return self._folder / f"hashes-{extent.generation}"

    def _panels(self, extent: Extent) -> Path:
        return self._folder / f"panels-{extent.generation}"

    def _vectors(self, extent: Extent) -> Path:
        return self._folder / f"vectors-{extent.generation}"


def array_files(folder: Path) -> list[Path]:
    """The array files of all generations in a folder."""
    return [path for path in folder.iterdir() if path.name.startswith(("hashes-", "panels-", "vectors-"))]


def _rows(hashes: Sequence[Sequence[bytes]], slot: int) -> bytes:
    """The rows of the hashes of each slot from this one on."""
    return b"".join(
        bits + number.to_bytes(8, "little") for number, each in enumerate(hashes, slot) for bits in each
    )


def _read(path: Path, offset: int, size: int) -> bytes:
    """Bytes that were written without a checksum, by an earlier version; mostly none."""
    if size == 0:
        return b""
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(size)


def _write(path: Path, offset: int, rows: bytes) -> None:
    """Write rows at this offset and see them on the disk; at 0 the file begins anew."""
    if not offset:
        make_file(path)
    with path.open("r+b" if offset else "wb", buffering=0) as file:
        file.seek(offset)
        remaining = memoryview(rows)
        while remaining:
            remaining = remaining[file.write(remaining) :]
        _SYNC(file.fileno())
