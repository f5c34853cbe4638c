"""How fast and how large the embedded index is, on made-up records.

    python benchmarks/embedded.py [--records 10000 100000] [--dims 256] [--questions 40] [--folder DIR]

Hashes and vectors are random, thumbnails are random bytes of a usual size; every third picture has a trimmed
hash, each has a source, a title, two tags and a little metadata. The time of a scan does not depend on what
the hashes are; recall is not measured here. A copy question has 16 variants (8 orientations, whole and
trimmed) and a radius of 90; a vector question wants the 100 nearest.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from facsimile.imaging.describe import HashQuery
from facsimile.imaging.record import ImageRecord
from facsimile.search.index.base import Signatures
from facsimile.search.index.embedded.index import EmbeddedIndex
from facsimile.search.query import Filter, IndexQuery

BATCH = 1000


def records(count: int, dims: int, thumbnail: int) -> Iterator[list[ImageRecord]]:
    rng = np.random.default_rng(0)
    for start in range(0, count, BATCH):
        vectors = rng.normal(size=(BATCH, max(dims, 1))).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        hashes = rng.integers(0, 256, (BATCH, 2, 32), dtype=np.uint8)
        yield [
            ImageRecord(
                id=(digest := hashlib.sha256(str(number).encode()).hexdigest()),
                sha256=digest,
                pixels=digest[::-1],
                width=1024,
                height=768,
                format="JPEG",
                size=200_000,
                quality=80,
                bits=hashes[position, 0],
                bits_trimmed=hashes[position, 1] if number % 3 == 0 else None,
                vector=vectors[position] if dims else None,
                thumbnail=rng.bytes(thumbnail),
                sources=(f"https://images.example.org/{number // 100}/{number}.jpg",),
                title=f"picture {number} of the shelf {number // 100}",
                tags=("shelf", f"row-{number % 7}"),
                metadata={"shelf": number // 100, "camera": {"model": f"model {number % 50}"}},
            )
            for position, number in enumerate(range(start, min(start + BATCH, count)))
        ]


def milliseconds(ask: Callable[[int], object], times: int) -> str:
    """p50, p95 and mean processor time of one call, after a first one that is not counted."""
    ask(0)
    spent = []
    worked = time.process_time()
    for number in range(1, times + 1):
        began = time.perf_counter()
        ask(number)
        spent.append((time.perf_counter() - began) * 1000)
    worked = (time.process_time() - worked) * 1000 / times
    return f"{np.percentile(spent, 50):.1f} / {np.percentile(spent, 95):.1f} ({worked:.1f})"


def measure(folder: Path, count: int, dims: int, thumbnail: int, questions: int) -> list[str]:
    signatures = Signatures(hash="benchmark", model="benchmark" if dims else "", dims=dims)
    index = EmbeddedIndex.create(folder, signatures)
    spent = worked = 0.0
    for batch in records(count, dims, thumbnail):
        began, began_work = time.perf_counter(), time.process_time()
        index.put(batch)
        spent += time.perf_counter() - began
        worked += time.process_time() - began_work
    index.close()
    size = sum(path.stat().st_size for path in folder.iterdir())

    began = time.perf_counter()
    index = EmbeddedIndex.open(folder, signatures)
    index.count()
    opened = (time.perf_counter() - began) * 1000

    rng = np.random.default_rng(1)

    def by_hash(_: int, filter: Filter | None = None) -> None:
        bits = rng.integers(0, 256, (16, 32), dtype=np.uint8)
        variants = tuple(HashQuery(each, ()) for each in bits)
        index.ask([IndexQuery(variants, radius=90, limit=100, filter=filter or Filter())])

    def by_vector(_: int) -> None:
        vector = rng.normal(size=dims).astype(np.float32)
        index.ask([IndexQuery((), 0, 0, vector=vector / np.linalg.norm(vector), nearest=100)])

    row = [
        f"{count:,}",
        f"{count / spent:,.0f} ({count / worked:,.0f})",
        f"{(size / count):,.0f}",
        f"{(size / count) - thumbnail:,.0f}",
        f"{opened:.1f}",
        milliseconds(by_hash, questions),
        milliseconds(lambda n: by_hash(n, Filter(terms={"camera.model": ("model 7",)})), questions),
        milliseconds(by_vector, questions) if dims else "-",
        milliseconds(lambda n: index.ask_words(f"{n} {count - n}", 10, Filter()), questions),
    ]
    index.destroy()
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--dims", type=int, default=256, help="dimensions of the vector; 0 for hashes alone")
    parser.add_argument("--thumbnail", type=int, default=8000, help="bytes of a thumbnail")
    parser.add_argument("--questions", type=int, default=40, help="of each kind")
    parser.add_argument("--folder", type=Path, help="where the index is made (default: a temporary folder)")
    options = parser.parse_args()

    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}, ")
    print(f"numpy {np.__version__}; {options.dims} dimensions, thumbnails of {options.thumbnail} bytes")
    print("times in ms, p50 / p95; in brackets by processor time, for a machine that does other work as well")
    print()
    titles = (
        "records|put/s|B each|without thumbnail|open|16 variants|- under a filter|100 by vector|2 rare words"
    )
    print("| " + " | ".join(titles.split("|")) + " |")
    print("|" + " --- |" * len(titles.split("|")))
    for count in options.records:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            row = measure(Path(folder), count, options.dims, options.thumbnail, options.questions)
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
