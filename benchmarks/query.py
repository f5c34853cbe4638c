"""Searches without verification beside image-match's plan, on an index that `benchmarks.corpus` has
filled.

    python -m benchmarks.query INDEX --records 100000 [--queries 200] [--rounds 3] [--seed 0] [--json FILE]

INDEX is `http://HOST:PORT/NAME` with `NAME-words` beside it (`benchmarks.corpus --image-match`), or the
folder of an embedded index, for which there is no such comparison. Every query is put to each plan in
turn, in another order each time, so that all see the same load of the machine; ratios of medians are what
to read. Queries are edited copies of records. Recall is the share of those that come among the first ten,
of those whose original is the nearest of all by an exact scan of the hashes. Batches hold 64 queries; `1
% filter` asks one collection that holds a hundredth of the records, for copies of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.corpus import BATCH, Corpus, Planted, collection_of
from benchmarks.image_match import WordIndex
from facsimile.imaging import phash
from facsimile.imaging.distance import hamming
from facsimile.imaging.orientation import inverse, orient_spectrum
from facsimile.search.finder import Finder
from facsimile.search.index.base import Index
from facsimile.search.index.opening import is_elasticsearch, open_index
from facsimile.search.params import SearchParams

#: queries of one batch, and hits among which a copy counts as found
_TOGETHER, _FIRST = 64, 10

#: what a plan gives for some queries: ids, best first
Plan = Callable[[Sequence[Planted]], list[list[str]]]


def plans(index: Index, words: WordIndex | None) -> dict[str, tuple[Plan, int]]:
    """Each plan and how many queries it is given at a time."""
    finder = Finder(index)
    every = SearchParams(verify=False, limit=_FIRST)
    upright = SearchParams(verify=False, limit=_FIRST, orientations=["upright"])

    def ours(params: SearchParams) -> Plan:
        def search(some: Sequence[Planted]) -> list[list[str]]:
            found = finder.search_many([each.description for each in some], params)
            return [[match.record.id for match in matches] for matches in found]

        return search

    def tenant(some: Sequence[Planted]) -> list[list[str]]:
        (collection,) = {each.key.collection for each in some}
        return ours(SearchParams(verify=False, limit=_FIRST, collections=[collection]))(some)

    made: dict[str, tuple[Plan, int]] = {}
    if words:
        made["image-match"] = (
            lambda some: [[id for id, _ in words.search(each.signature)] for each in some],
            1,
        )
    made["facsimile"] = ours(every), 1
    made["facsimile, upright only"] = ours(upright), 1
    made["facsimile, 1 % filter"] = tenant, 1
    if words:
        made[f"image-match, {_TOGETHER} a request"] = (
            lambda some: [[id for id, _ in e] for e in words.search_many([each.signature for each in some])],
            _TOGETHER,
        )
    made[f"facsimile, {_TOGETHER} a call"] = ours(every), _TOGETHER
    return made


def findable(corpus: Corpus, records: int, queries: Sequence[Planted]) -> set[str]:
    """The ids of those originals that are the nearest to their copies of all hashes, by an exact scan."""
    asked = np.stack(
        [phash.bits_of(orient_spectrum(q.description.spectrum, inverse(q.orientation))) for q in queries]
    )
    least = np.full(len(queries), 257)
    nearest = [""] * len(queries)
    for batch in range(records // BATCH):
        bits: NDArray[np.uint8] = phash.bits_of(corpus.spectra(batch)[0])
        table = hamming(asked[:, None], bits[None])
        for place, number in enumerate(table.argmin(axis=1).tolist()):
            if table[place, number] < least[place]:
                least[place] = table[place, number]
                nearest[place] = corpus.id_of(batch * BATCH + number)
    return {each.key.id for each, id in zip(queries, nearest, strict=True) if each.key.id == id}


def measure(
    tried: dict[str, tuple[Plan, int]],
    queries: Sequence[Planted],
    rare: Sequence[Planted],
    known: set[str],
    rounds: int,
) -> dict[str, dict[str, float]]:
    """Milliseconds and recall of each plan."""
    spent: dict[str, list[float]] = {name: [] for name in tried}
    worked = dict.fromkeys(tried, 0.0)
    hits = dict.fromkeys(tried, 0)
    asked = dict.fromkeys(tried, 0)
    for name, (plan, size) in tried.items():  # what the first call loads is not counted
        plan((rare if "filter" in name else queries)[:size])
    for turn in range(rounds):
        for start in range(len(queries)):
            names = list(tried)
            names = names[(turn + start) % len(names) :] + names[: (turn + start) % len(names)]
            for name in names:
                plan, size = tried[name]
                if start % size:
                    continue
                some = (rare if "filter" in name else queries)[start : start + size]
                began, began_work = time.perf_counter(), time.process_time()
                found = plan(some)
                spent[name].append(1000 * (time.perf_counter() - began) / len(some))
                worked[name] += 1000 * (time.process_time() - began_work)
                for each, ids in zip(some, found, strict=True):
                    if each.key.id in known:
                        asked[name] += 1
                        hits[name] += each.key.id in ids[:_FIRST]
    return {
        name: {
            "p50_ms": statistics.median(times),
            "p95_ms": float(np.percentile(times, 95)),
            "client_cpu_ms": worked[name] / (rounds * len(queries)),
            "recall": hits[name] / max(asked[name], 1),
        }
        for name, times in spent.items()
    }


def table(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    base = {size: report["plans"].get(name) for size, name in _BASES.items()}
    lines = ["| plan | p50 ms | p95 ms | p50, image-match = 1 | CPU of the client ms | recall |"]
    lines.append("| --- | --: | --: | --: | --: | --: |")
    for name, row in report["plans"].items():
        reference = base["together" if " a " in name else "one"]
        ratio = f"{row['p50_ms'] / reference['p50_ms']:.2f}" if reference else ""
        lines.append(
            f"| {name} | {row['p50_ms']:.1f} | {row['p95_ms']:.1f} | {ratio} "
            f"| {row['client_cpu_ms']:.1f} | {row['recall']:.3f} |"
        )
    return "\n".join(lines)


_BASES = {"one": "image-match", "together": f"image-match, {_TOGETHER} a request"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("index")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dims", type=int, default=256)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--turned", action="store_true", help="copies in all eight orientations")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    corpus = Corpus(options.seed, options.dims)
    queries = list(corpus.planted(options.records, options.queries, turned=options.turned))
    rare = list(
        corpus.planted(
            options.records,
            options.queries,
            turned=options.turned,
            among=lambda n: collection_of(n) == "small",
        )
    )
    known = findable(corpus, options.records, [*queries, *rare])
    words = WordIndex(options.index) if is_elasticsearch(options.index) else None
    with open_index(options.index) as index:
        tried = plans(index, words)
        rows = measure(tried, queries, rare, known, options.rounds)
        count = index.count()
    report = {
        "records": count,
        "dims": options.dims,
        "queries": options.queries,
        "rounds": options.rounds,
        "findable": len(known),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "plans": rows,
    }
    print(f"{count:,} records; {report['machine']}\n\n{table(report)}")
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
