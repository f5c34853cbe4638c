"""The main job measured: a folder of real photographs goes in, edited copies come out.

    python benchmarks/main_job.py FOLDER [--elastic http://127.0.0.1:9200] [--queries 300] [--json FILE]

For the embedded index, and for Elasticsearch where one is named: images per second of ingest with one and
two processes beside decoding alone with as many, in turn in one run; a second ingest that changes nothing;
bytes per image; the time of a search beside describing the query; recall@1 for each edit. An edit counts as
found when the first match is the original or has the same bytes; the other cases are listed with `--json`, to
be looked at.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import random
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import facsimile
from facsimile.imaging.decode import WORKING_SIDE
from facsimile.library import Facsimile
from facsimile.search.evaluation.attacks import attack

EDITS = ("jpeg_q30", "quarter_size", "gray", "brightness", "noise", "text", "border", "flip", "turn_90")
ROUNDS = 3


def decoded(paths: list[Path]) -> int:
    """Read and decode as any program has to: the file, scaled by the codec where it can, as an array."""
    for path in paths:
        image = Image.open(io.BytesIO(path.read_bytes()))
        image.draft("RGB", (WORKING_SIDE, WORKING_SIDE))
        np.asarray(image.convert("RGB"))
    return len(paths)


def decoding_rate(paths: list[Path], jobs: int) -> float:
    """Images per second of decoding alone with this many processes, their start not counted."""
    chunks = [paths[start : start + 48] for start in range(0, len(paths), 48)]
    with ProcessPoolExecutor(jobs) as pool:
        list(pool.map(decoded, [chunk[:1] for chunk in chunks[: 4 * jobs]]))
        start = time.perf_counter()
        total = sum(pool.map(decoded, chunks))
        return total / (time.perf_counter() - start)


def ingest_rate(location: str, folder: Path, jobs: int) -> tuple[float, int]:
    """Images per second of an ingest from the first to the last outcome, and how many came to an end."""
    moments: list[float] = []
    with facsimile.open(location) as index:
        tally = index.ingest(
            folder, processes=jobs, on_outcome=lambda outcome: moments.append(time.perf_counter())
        )
    first = moments[48 * jobs]  # the first chunks wait for the start of the processes
    return (len(moments) - 48 * jobs) / (moments[-1] - first), tally.added


def recall(index: Facsimile, originals: list[Path]) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Share of edited copies whose original comes first, by edit, and the cases where it does not."""
    shares: dict[str, float] = {}
    misses: list[dict[str, Any]] = []
    for edit in EDITS:
        found = 0
        for path in originals:
            query = index.queries.read(attack(path.read_bytes(), edit))
            matches = index.finder.search(query)
            if matches and str(path) in matches[0].record.sources:
                found += 1
            else:
                first = matches[0] if matches else None
                misses.append(
                    {
                        "edit": edit,
                        "original": str(path),
                        "first": first.record.source if first else None,
                        "hamming": first.hamming if first else None,
                        "original_at": next(
                            (m.hamming for m in matches if str(path) in m.record.sources), None
                        ),
                    }
                )
        shares[edit] = found / len(originals)
    return shares, misses


def search_times(index: Facsimile, originals: list[Path]) -> dict[str, float]:
    """Milliseconds of describing a query and of the search beside it."""
    describing, searching = [], []
    for path in originals:
        data = attack(path.read_bytes(), "jpeg_q30")
        start = time.perf_counter()
        query = index.queries.read(data)
        middle = time.perf_counter()
        index.finder.search(query)
        describing.append(middle - start)
        searching.append(time.perf_counter() - middle)
    quantiles = statistics.quantiles(searching, n=20)
    return {
        "describe_p50": 1000 * statistics.median(describing),
        "search_p50": 1000 * statistics.median(searching),
        "search_p95": 1000 * quantiles[18],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--elastic", metavar="URL", help="measure on this Elasticsearch too")
    parser.add_argument("--queries", type=int, default=300, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()

    folder = options.folder.resolve()
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    originals = random.Random(1).sample(paths, min(options.queries, len(paths)))
    print(f"{len(paths)} images of {folder.name}; {platform.machine()}, {os.cpu_count()} cores")
    work = Path(tempfile.mkdtemp(prefix="facsimile-benchmark-"))
    places = {"embedded": str(work / "index")}
    if options.elastic:
        places["elasticsearch"] = options.elastic.rstrip("/") + "/benchmark-main-job"
    results: dict[str, dict[str, object]] = {}
    for kind, location in places.items():
        results[kind] = measured(kind, location, folder, paths, originals, options.rounds)
    shutil.rmtree(work)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


def measured(
    kind: str, location: str, folder: Path, paths: list[Path], originals: list[Path], rounds: int
) -> dict[str, object]:
    result: dict[str, object] = {}
    print(f"\n{kind}")
    for jobs in (1, 2):
        shares, rates = [], []
        for _ in range(rounds):
            removed(location)
            decoding = decoding_rate(paths, jobs)
            rate, _added = ingest_rate(location, folder, jobs)
            shares.append(rate / decoding)
            rates.append(rate)
        result[f"ingest_{jobs}"] = {"images_per_second": rates, "share_of_decoding": shares}
        print(
            f"  ingest, {jobs} process{'es' if jobs > 1 else ''}: {statistics.median(rates):,.0f} images/s, "
            f"{statistics.median(shares):.0%} of decoding alone ({', '.join(f'{s:.0%}' for s in shares)})"
        )
    start = time.perf_counter()
    with facsimile.open(location) as index:
        tally = index.ingest(folder)
        seconds = time.perf_counter() - start
        info = index.index.info()
        result["second_ingest"] = {
            "seconds": seconds,
            "unchanged": tally.unchanged,
            "other": tally.total - tally.unchanged,
        }
        result["bytes_per_image"] = info.bytes / info.count
        print(f"  second ingest: {tally.unchanged} unchanged of {tally.total} in {seconds:.1f} s")
        print(f"  {info.count} records, {info.bytes / info.count:,.0f} bytes an image")
        result["times_ms"] = times = search_times(index, originals)
        print("  " + ", ".join(f"{name} {value:.1f} ms" for name, value in times.items()))
        shares_found, misses = recall(index, originals)
        result["recall_at_1"], result["misses"] = shares_found, misses
        print(
            f"  recall@1 of {len(originals)}: " + ", ".join(f"{e} {s:.3f}" for e, s in shares_found.items())
        )
    removed(location)
    return result


def removed(location: str) -> None:
    """Remove the index if there is one."""
    from facsimile.search.errors import IndexNotFound
    from facsimile.search.index.opening import destroy_index

    with suppress(IndexNotFound):
        destroy_index(location)


if __name__ == "__main__":
    main()
