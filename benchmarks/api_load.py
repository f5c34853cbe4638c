"""The API under load: its own overhead, its rate, and what it does with ten times of that.

    python benchmarks/api_load.py FOLDER [--elastic http://127.0.0.1:9200] [--records 100000] [--rounds 3]
        [--seconds 10] [--work DIR] [--keep]

For the embedded index, and for Elasticsearch where one is named. The index holds made-up records (random
hashes; vectors with the mean and the covariance of those of the photographs in FOLDER; thumbnails of those)
and 200 of the photographs. Asked for are edited copies of these and as many photographs that are not stored,
uploaded, and stored ones by id. `facsimile serve` runs in a process of its own, without a limit of requests
for each caller. In every round, in turn:

- one client: the same question over HTTP; in this process, by step (describing, index, ranking,
  verification); and as the bare requests to Elasticsearch that the search consists of, by the client that it
  uses. The overhead is the median of the differences between the first two, and, nearer to what a quiet
  machine shows, that between the least times of each question.
- 1, 8 and 32 clients for some seconds each, and so many threads with the bare requests;
- last, ten times the best rate, whatever the server answers, for three times as long, while its memory is
  read.

Other work on the machine makes all times longer; differences and shares within the run remain.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import http_load
import numpy as np
import orjson
from api_subject import STORED, Server, filled, sample
from http_load import Answers

import facsimile
from facsimile.library import Facsimile
from facsimile.search.evaluation.attacks import attack
from facsimile.search.finder import Finder
from facsimile.search.index.elastic.client import ElasticClient, connect
from facsimile.search.index.elastic.location import ElasticLocation
from facsimile.search.index.elastic.options import ElasticOptions
from facsimile.search.index.opening import destroy_index, is_elasticsearch

EDITS = ("jpeg_q30", "quarter_size", "brightness", "text", "crop_90", "flip")
CLIENTS = (1, 8, 32)

#: what one bare request is: the arguments of `perform_request`
Call = tuple[tuple[Any, ...], dict[str, Any]]


@contextmanager
def recorded() -> Iterator[list[Call]]:
    """The requests to Elasticsearch that are made meanwhile."""
    calls: list[Call] = []
    plain = ElasticClient.perform_request

    def noting(self: ElasticClient, *args: Any, **keywords: Any) -> Any:
        calls.append((args, keywords))
        return plain(self, *args, **keywords)

    ElasticClient.perform_request = noting  # type: ignore[method-assign]
    try:
        yield calls
    finally:
        ElasticClient.perform_request = plain  # type: ignore[method-assign]


def milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


class Bench:
    """One index and one kind of question, asked in three ways."""

    def __init__(self, index: Facsimile, location: str, questions: Sequence[bytes | str]) -> None:
        self.index = index
        self.questions = questions
        self.requests = [
            http_load.uploaded("/v1/search", each)
            if isinstance(each, bytes)
            else http_load.posted("/v1/search", "application/json", orjson.dumps({"id": each[3:]}))
            for each in questions
        ]
        self.times: dict[str, list[float]] = defaultdict(list)
        self.work: dict[str, float] = defaultdict(float)
        self._finder = Finder(
            index.index, index.settings.thresholds, index.settings.verification, observer=self._observe
        )
        self._bare = (
            connect(ElasticLocation.parse(location), ElasticOptions()) if is_elasticsearch(location) else None
        )
        self._calls: list[list[Call]] = []
        for question in questions:
            with recorded() as calls:
                self._in_process(question)
            self._calls.append(calls)
        self.times.clear()

    def _observe(self, what: str, number: float) -> None:
        self.times[what].append(number if what == "candidates" else number * 1000)

    def _in_process(self, question: bytes | str) -> None:
        start = time.perf_counter()
        query = self.index.queries.read(question)
        self._observe("describe", time.perf_counter() - start)
        self._finder.search(query)

    def _again(self, calls: Sequence[Call]) -> None:
        for args, keywords in calls:
            assert self._bare
            self._bare.perform_request(*args, **keywords)

    async def alone(self, server: Server) -> None:
        """Each question once, each way in turn; nothing else is done meanwhile."""
        connection = http_load.Connection(*server.place)
        for question, request, calls in zip(self.questions, self.requests, self._calls, strict=True):
            start, worked = time.perf_counter(), server.worked()
            status, _ = await connection.ask(request)
            http = (time.perf_counter() - start) * 1000
            self.work["HTTP"] += server.worked() - worked
            assert status == 200, f"{status} for {question[:40]!r}"
            worked = time.process_time()
            within = milliseconds(lambda: self._in_process(question))  # noqa: B023
            self.work["in process"] += (time.process_time() - worked) * 1000
            self.times["HTTP"].append(http)
            self.times["in process"].append(within)
            self.times["overhead"].append(http - within)
            if self._bare:
                self.times["bare requests"].append(milliseconds(lambda: self._again(calls)))  # noqa: B023
        connection.close()

    def least_overhead(self) -> float:
        """The median over the questions, each at its least over the rounds: what disturbs, only adds."""
        http, within = (
            np.reshape(self.times[way], (-1, len(self.questions))).min(axis=0)
            for way in ("HTTP", "in process")
        )
        return float(np.median(http - within))

    def bare_load(self, clients: int, seconds: float) -> Answers | None:
        """The bare requests of so many threads at a time."""
        if not self._bare:
            return None
        answers = Answers()
        began = time.perf_counter()

        def client(number: int) -> None:
            while time.perf_counter() < began + seconds:
                start = time.perf_counter()
                self._again(self._calls[number % len(self._calls)])
                answers.add(200, (time.perf_counter() - start) * 1000, False)
                number += clients

        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(client, range(clients)))
        answers.seconds = time.perf_counter() - began
        return answers


async def overload(
    server: Server, requests: Sequence[bytes], rate: float, seconds: float
) -> tuple[Answers, list[float]]:
    """The answers at a rate, and the memory of the server in MB every half second."""
    memory = []

    async def watch() -> None:
        while True:
            memory.append(server.memory())
            await asyncio.sleep(0.5)

    watching = asyncio.create_task(watch())
    answers = await http_load.opened(server.place, requests, rate, seconds)
    watching.cancel()
    return answers, memory


def row(*cells: object) -> None:
    told = (f"{each:.1f}" if isinstance(each, float) else str(each) for each in cells)
    print(f"| {' | '.join(told)} |", flush=True)


def titles(*cells: str) -> None:
    print()
    row(*cells)
    row(*["---"] * len(cells))


def measured(location: str, options: argparse.Namespace, log: Path) -> None:
    with facsimile.open(location) as index:
        asked = options.questions
        datas = sample(options.folder)
        filled(index, datas, options.records)
        strange = datas[STORED : STORED + asked // 2]
        images = [
            attack(data, EDITS[place % len(EDITS)])
            for place, data in enumerate([*datas[: asked // 2], *strange])
        ]
        random.Random(2).shuffle(images)
        ids = [f"id:{sha256(data).hexdigest()}" for data in datas[:asked]]
        benches = {
            "an uploaded image": Bench(index, location, images),
            "a stored one by id": Bench(index, location, ids),
        }
        server = Server(location, log)
        try:
            best = at_its_pace(benches, server, options)
            beyond(benches, server, best, options.seconds)
        finally:
            server.stop()


def at_its_pace(benches: dict[str, Bench], server: Server, options: argparse.Namespace) -> dict[str, float]:
    """One question at a time, then some clients; the answer is the best rate of each kind of question."""
    closed: dict[tuple[str, int, str], list[Answers]] = defaultdict(list)
    for bench in benches.values():
        asyncio.run(http_load.closed(server.place, bench.requests, 2, 5))  # warms both ends
    for _ in range(options.rounds):
        for name, bench in benches.items():
            asyncio.run(bench.alone(server))
            for clients in CLIENTS:
                load = http_load.closed(server.place, bench.requests, clients, options.seconds)
                closed[name, clients, "API"].append(asyncio.run(load))
                if bare := bench.bare_load(clients, options.seconds):
                    closed[name, clients, "bare requests"].append(bare)
    titles("one client, median in ms", *benches)
    for step in next(iter(benches.values())).times:
        row(step, *(statistics.median(bench.times[step]) for bench in benches.values()))
    row("overhead, each question at its best", *(bench.least_overhead() for bench in benches.values()))
    for way in ("HTTP", "in process"):
        means = (bench.work[way] / len(bench.times["HTTP"]) for bench in benches.values())
        row(f"{way}: processor time, mean", *means)
    titles("asked", "clients", "way", "p50 ms", "p95", "p99", "a second", "other answers")
    together = {which: Answers.joined(rounds) for which, rounds in closed.items()}
    for which, answers in together.items():
        row(*which, *answers.percentiles(200), answers.rate, answers.others)
    return {
        name: max(
            answers.rate for (asked, _, way), answers in together.items() if (asked, way) == (name, "API")
        )
        for name in benches
    }


def beyond(benches: dict[str, Bench], server: Server, best: dict[str, float], seconds: float) -> None:
    """Ten times the best rate, for three times as long."""
    titles("ten times the rate", "a second", "accepted", "p50 ms", "p95", "p99", "most")
    found = {}
    for name, bench in benches.items():
        before = server.memory()
        answers, memory = asyncio.run(overload(server, bench.requests, 10 * best[name], 3 * seconds))
        found[name] = (answers, [before, *memory])
        for kind, statuses in (("accepted", (200,)), ("turned away", (429, 503))):
            times = [each for status in statuses for each in answers.times.get(status, [])]
            row(
                f"{name}, {kind}",
                10 * best[name],
                len(times),
                *answers.percentiles(*statuses),
                max(times, default=0),
            )
        time.sleep(2)
    titles(
        "ten times the rate",
        "other answers",
        "without Retry-After",
        "MB before",
        "a third later",
        "at the end",
    )
    for name, (answers, memory) in found.items():
        faults = answers.others - sum(len(answers.times.get(status, [])) for status in (429, 503))
        row(
            name,
            f"{faults} {dict(answers.faults) or ''}",
            answers.without_retry_after,
            memory[0],
            max(memory[: len(memory) // 3]),
            max(memory),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="photographs, 600 at least")
    parser.add_argument("--elastic", metavar="URL", help="measure on this Elasticsearch too")
    parser.add_argument(
        "--work", type=Path, help="where the embedded index is made and kept; else a new folder"
    )
    parser.add_argument("--only-elastic", action="store_true", help="leave the embedded index out")
    parser.add_argument("--keep", action="store_true", help="keep the indices, for the next run")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=60, help="of each kind")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of each load in each round")
    options = parser.parse_args()

    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory(prefix="facsimile-benchmark-") as temporary:
        places = [] if options.only_elastic else [str((options.work or Path(temporary)) / "index")]
        if options.elastic:
            places.append(f"{options.elastic.rstrip('/')}/benchmark-api-load")
        for location in places:
            print(f"\n{options.records} records in {location}")
            measured(location, options, Path(temporary) / "server.log")
            if not options.keep:
                destroy_index(location)


if __name__ == "__main__":
    main()
