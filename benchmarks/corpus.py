"""A large index of made-up records, the same for the same seed; a second call continues the first.

    python -m benchmarks.corpus INDEX --records 1000000 [--dims 256] [--seed 0] [--thumbnail 0]
        [--image-match]

INDEX is a folder or the address of an index on Elasticsearch. No picture is made: records come from
spectra, as `facsimile.imaging.phash` computes them, with the decay of natural pictures (amplitude falls
with frequency) around 2,000 centres of very unequal size, so that unrelated hashes share band terms about
as often as those of photographs (1,725 candidates a million for one hash with two probes). A third of the
records has a second hash without margins, one in twenty is a page of three panels. With `--image-match`
the same records are written to `NAME-words` beside it, as image-match keeps them: 63 words and a
signature of 648 values.

`planted` gives queries: edited copies of records, whose spectra carry noise in proportion to each
frequency, so that bits near the median flip first, as by re-encoding, scaling and cropping.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks import image_match
from facsimile.imaging import phash
from facsimile.imaging.orientation import ORIENTATIONS, orient_spectrum
from facsimile.imaging.record import Description, ImageRecord, Key
from facsimile.search.index.base import Index, Signatures
from facsimile.search.index.opening import open_index

#: records that are made and written together: each batch has a seed of its own
BATCH = 1000

_CENTRES = 2000

#: share of a spectrum and of a vector that its centre gives, chosen for the candidates named above
_COMMON, _ALIKE = 0.4, 0.35

#: noise of an edited copy relative to each coefficient: from re-encoding to a crop by a tenth
_LEAST_EDIT, _LARGEST_EDIT = 0.02, 0.6

Spectra = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """A query: an edited copy of a record, how it was turned, and its signature for image-match."""

    key: Key
    description: Description
    orientation: str
    signature: NDArray[np.int8]


class Corpus:
    """The records of one seed; record number N is the same however many there are."""

    def __init__(self, seed: int, dims: int, thumbnail: int = 0) -> None:
        self.dims = dims
        self._seed = seed
        self._thumbnail = thumbnail
        rng = np.random.default_rng([seed, 0])
        row, column = np.mgrid[:16, :16]
        self._scale = (2000 / (1 + row**2 + column**2) ** 0.75).astype(np.float32)
        self._centres = rng.normal(size=(_CENTRES, 16, 16)).astype(np.float32)
        self._directions = rng.normal(size=(_CENTRES, max(dims, 1))).astype(np.float32)
        weights = 1 / np.arange(1, _CENTRES + 1)
        self._weights = weights / weights.sum()

    @property
    def signatures(self) -> Signatures:
        return Signatures(phash.HASH_VERSION, "corpus" if self.dims else "", self.dims)

    def spectra(self, batch: int) -> tuple[Spectra, Spectra, Spectra]:
        """Spectra of the whole [BATCH, 16, 16], without margins, and vectors [BATCH, dims] of one batch."""
        rng = np.random.default_rng([self._seed, 1, batch])
        centre = rng.choice(_CENTRES, BATCH, p=self._weights)
        own = rng.normal(size=(2, BATCH, 16, 16)).astype(np.float32)
        own = np.sqrt(1 - _COMMON) * own + np.sqrt(_COMMON) * self._centres[centre]
        vectors = rng.normal(size=(BATCH, max(self.dims, 1))).astype(np.float32)
        vectors = np.sqrt(1 - _ALIKE) * vectors + np.sqrt(_ALIKE) * self._directions[centre]
        whole, trimmed = own * self._scale
        for each in (whole, trimmed):
            each[:, 0, 0] = rng.normal(
                8000, 2000, BATCH
            )  # the mean: nearly all pictures lie above the median
        return whole, trimmed, _normal(vectors)

    def records(self, batch: int) -> list[ImageRecord]:
        """The records of one batch."""
        whole, trimmed, vectors = self.spectra(batch)
        bits, bits_trimmed = phash.bits_of(whole), phash.bits_of(trimmed)
        rng = np.random.default_rng([self._seed, 2, batch])
        panels = rng.integers(0, 256, (BATCH, 3, 32), dtype=np.uint8)
        return [
            ImageRecord(
                id=(digest := self.id_of(number)),
                sha256=digest,
                pixels=digest[::-1],
                width=1024,
                height=768,
                format="JPEG",
                size=200_000,
                quality=80,
                bits=bits[place],
                bits_trimmed=bits_trimmed[place] if number % 3 == 0 else None,
                panels=panels[place] if number % 20 == 0 else panels[place, :0],
                vector=vectors[place] if self.dims else None,
                thumbnail=rng.bytes(self._thumbnail) if self._thumbnail else None,
                collection=collection_of(number),
                sources=(f"https://images.example.org/{number // 100}/{number}.jpg",),
                title=f"picture {number}",
                tags=(f"row-{number % 7}",),
                metadata={"shelf": number // 100},
            )
            for place, number in enumerate(range(batch * BATCH, (batch + 1) * BATCH))
        ]

    @staticmethod
    def id_of(number: int) -> str:
        """The id of a record."""
        return hashlib.sha256(str(number).encode()).hexdigest()

    def planted(
        self,
        records: int,
        queries: int,
        *,
        turned: bool = False,
        among: Callable[[int], bool] = lambda number: True,
    ) -> Iterator[Planted]:
        """Edited copies of some of the first records, in one of the eight orientations if `turned`."""
        rng = np.random.default_rng([self._seed, 3])
        chosen = [number for number in range(records) if among(number)]
        for number in rng.choice(chosen, queries).tolist():
            batch, place = divmod(number, BATCH)
            whole, trimmed, vectors = (each[place] for each in self.spectra(batch))
            edit = float(np.exp(rng.uniform(np.log(_LEAST_EDIT), np.log(_LARGEST_EDIT))))
            orientation = ORIENTATIONS[int(rng.integers(8))] if turned else "upright"
            spectra = [
                orient_spectrum(each + edit * self._scale * _noise(rng, (16, 16)), orientation)
                for each in (whole, trimmed)
            ]
            vector = _normal(vectors + edit * _noise(rng, vectors.shape) / np.sqrt(max(self.dims, 1)))
            bits, bits_trimmed = phash.bits_of(np.stack(spectra))
            has_margins = number % 3 == 0
            description = Description(
                sha256=self.id_of(-number - 1),
                pixels=self.id_of(-number - 1)[::-1],
                width=1024,
                height=768,
                format="JPEG",
                size=180_000,
                quality=80,
                bits=bits,
                bits_trimmed=bits_trimmed if has_margins else None,
                spectrum=spectra[0],
                spectrum_trimmed=spectra[1] if has_margins else None,
                panels=np.empty((0, 32), np.uint8),
                spectra_panels=np.empty((0, 16, 16), np.float32),
                spectrum_middle=spectra[0],
                thumbnail=b"",
                vector=vector if self.dims else None,
            )
            signature = image_match.signatures(spectra[0][None])[0]
            yield Planted(Key(collection_of(number), self.id_of(number)), description, orientation, signature)


def collection_of(number: int) -> str:
    """One tenant in a hundred records, and the others."""
    return "small" if number % 100 == 0 else "large"


def _noise(rng: np.random.Generator, shape: tuple[int, ...]) -> Spectra:
    return rng.normal(size=shape).astype(np.float32)


def _normal(vectors: Spectra) -> Spectra:
    normal: Spectra = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return normal


def load(index: Index, corpus: Corpus, records: int) -> float:
    """Write the batches that are not there yet; the answer is seconds of this process for each record."""
    started, written = time.process_time(), 0
    for batch in range(records // BATCH):
        made = corpus.records(batch)
        if made[-1].key in index.known([made[-1].key]):
            continue
        failed = [outcome.reason for outcome in index.put(made) if outcome.reason]
        if failed:
            raise SystemExit(f"{len(failed)} records were not written: {failed[0]}")
        written += len(made)
        print(f"\r{(batch + 1) * BATCH:,} records", end="", flush=True)
    index.refresh()
    print()
    return (time.process_time() - started) / max(written, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("index")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--dims", type=int, default=256, help="dimensions of the vector; 0 for hashes alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--thumbnail", type=int, default=0, help="bytes of random thumbnails")
    parser.add_argument("--image-match", action="store_true", help="write NAME-words beside it, too")
    options = parser.parse_args()
    corpus = Corpus(options.seed, options.dims, options.thumbnail)
    began = time.perf_counter()
    with open_index(options.index, create=corpus.signatures) as index:
        seconds = load(index, corpus, options.records)
        info = index.info()
    print(f"{time.perf_counter() - began:.0f} s, of this program {1e6 * seconds:.0f} µs of CPU a record")
    print(f"{info.count:,} records, {info.bytes / max(info.count, 1):,.0f} bytes each")
    if options.image_match:
        words = image_match.WordIndex(options.index)
        words.load(
            (corpus.spectra(batch)[0] for batch in range(options.records // BATCH)), BATCH, corpus.id_of
        )


if __name__ == "__main__":
    main()
