"""The queue measured: images through Redis into an index, beside the same stages without a queue.

    python benchmarks/bulk_queue.py FOLDER --redis redis://127.0.0.1:6379/9 [--elastic http://127.0.0.1:9200]
        [--rounds 3] [--messages 200000] [--model facsimile] [--json FILE]

The Redis database must be empty; it is emptied at the end. In turn, in one run: `ingest` with one and two
processes, then workers with one and two processes over a queue that was filled before, hashes alone and with
the network. A rate counts from the end of the first chunks to that of the last, so no start of a process is
in it. Then: seconds until the work of a worker that was killed is taken up again; and the memory of producer
and worker while many messages go through, every image several times, so that most are unchanged.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import redis

import facsimile

CHUNK = 96


class Bench:
    """Runs programs on new indices, one after another."""

    def __init__(self, folder: Path, broker: str, elastic: str, work: Path) -> None:
        self.folder = folder
        self.broker = broker
        self.elastic = elastic
        self.work = work

    def place(self) -> str:
        name = f"bench-{uuid4().hex[:12]}"
        return f"{self.elastic}/{name}" if self.elastic else str(self.work / name)

    def start(
        self, index: str, model: str, *command: object, log: Path | None = None
    ) -> subprocess.Popen[Any]:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FACSIMILE_")},
            "FACSIMILE_INDEX": index,
            "FACSIMILE_MODEL": model,
            "FACSIMILE_BROKER_URL": self.broker,
            "FACSIMILE_QUEUE_LIMIT": "1000",
            "FACSIMILE_LOG_FORMAT": "json",
        }
        file = (log or Path(os.devnull)).open("wb")
        return subprocess.Popen(
            [sys.executable, "-m", "facsimile", *map(str, command)],
            env=environment,
            stdout=subprocess.PIPE if log is None else file,
            stderr=file,
            start_new_session=True,
        )

    def hand_over(self, index: str, model: str, *sources: Path) -> tuple[str, int]:
        """The job, and the largest memory of the producer in KiB."""
        process = self.start(index, model, "ingest", "--queue", "--json", *sources)
        assert process.stdout
        told = process.stdout.read()
        _, _, usage = os.wait4(process.pid, 0)
        return json.loads(told)["job"], usage.ru_maxrss

    def without_queue(self, model: str, jobs: int) -> float:
        moments: list[float] = []
        with facsimile.open(self.place(), model=model) as index:
            index.ingest(
                self.folder, processes=jobs, on_outcome=lambda outcome: moments.append(time.perf_counter())
            )
            index.index.destroy()
        skipped = CHUNK * jobs
        return (len(moments) - skipped) / (moments[-1] - moments[skipped - 1])

    def with_queue(self, model: str, jobs: int) -> float:
        index, log = self.place(), self.work / "worker.log"
        job, _ = self.hand_over(index, model, self.folder)
        worker = self.start(index, model, "worker", "-j", jobs, log=log)
        try:
            self.ended(index, job)
        finally:
            stop(worker)
        done = finished(log)
        with facsimile.open(index, create=False, model=model) as opened:
            opened.index.destroy()
        first = done[jobs - 1][0]
        return sum(items for _, items in done[jobs:]) / (done[-1][0] - first)

    def ended(self, index: str, job: str) -> dict[str, Any]:
        with facsimile.open(
            index, create=False, settings=facsimile.Settings(broker_url=self.broker)
        ) as opened:
            while True:
                found = opened.queue.watch(job)
                if not found.pending:
                    return found.as_json()
                time.sleep(3)

    def taken_up(self) -> float:
        """Seconds from kill -9 of a worker in mid-chunk until another one claims what it left."""
        index, log, second = self.place(), self.work / "first.log", self.work / "second.log"
        some = self.work / "some.txt"
        paths = sorted(path for path in self.folder.rglob("*.jpg"))[:1500]
        some.write_text("\n".join(map(str, paths)))
        job, _ = self.hand_over(index, "none", some)
        worker = self.start(index, "none", "worker", "-j", 2, log=log)
        while len(finished(log)) < 3:
            time.sleep(0.01)
        os.killpg(worker.pid, signal.SIGKILL)
        killed = time.time()
        worker.wait()
        other = self.start(index, "none", "worker", "-j", 2, log=second)
        try:
            counts = self.ended(index, job)
        finally:
            stop(other)
        print(
            "  after the kill:", {name: counts[name] for name in ("accepted", "added", "unchanged", "failed")}
        )
        return finished(second)[-1][0] - killed  # what was left comes last: it waits for the lease

    def memory(self, messages: int) -> dict[str, Any]:
        """The memory of producer and worker, in MiB, and the counts of the job."""
        index, log = self.place(), self.work / "many.log"
        paths = sorted(path for path in self.folder.rglob("*.jpg"))
        listing = self.work / "many.txt"
        with listing.open("w") as file:
            for number in range(messages):
                file.write(f"{paths[number % len(paths)]}\n")
        worker = self.start(index, "none", "worker", "-j", 1, log=log)
        producer = self.start(index, "none", "ingest", "--queue", "--json", listing)
        seen: dict[str, list[int]] = {"producer": [], "worker": [], "redis": []}
        with redis.Redis.from_url(self.broker) as client:
            while producer.poll() is None:
                seen["producer"].append(resident(producer.pid))
                seen["worker"].append(sum(resident(pid) for pid in children(worker.pid)))
                seen["redis"].append(int(client.info("memory")["used_memory"]))
                time.sleep(2)
        assert producer.stdout
        counts = self.ended(index, json.loads(producer.stdout.read())["job"])
        stop(worker)
        shown = {name: quarters(values) for name, values in seen.items()}
        return {"mib at each quarter": shown, **counts}


def stop(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait()


def finished(log: Path) -> list[tuple[float, int]]:
    """When each chunk was done, in seconds since 1970, and its items."""
    done = []
    for line in log.read_text().splitlines():
        if line.startswith("{"):
            event = json.loads(line)
            if event.get("event") == "chunk_finished":
                done.append((datetime.fromisoformat(event["timestamp"]).timestamp(), event["items"]))
    return sorted(done)


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(each) for each in found.stdout.split()]


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def quarters(values: list[int]) -> list[float]:
    step = max(1, len(values) // 4)
    return [round(max(values[at : at + step]) / 2**20, 1) for at in range(0, step * 4, step) if values[at:]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--elastic", default="")
    parser.add_argument("--rounds", type=int, default=3, help="0: only the kill and the memory")
    parser.add_argument("--messages", type=int, default=200_000)
    parser.add_argument("--model", default="facsimile", help="beside hashes alone; none: only these")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with redis.Redis.from_url(options.redis) as client:
        if client.dbsize():
            sys.exit("the Redis database is not empty")
    report: dict[str, Any] = {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "rates": []}
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(options.folder, options.redis, options.elastic, Path(work))
        for model in dict.fromkeys(("none", options.model)) if options.rounds else ():
            for jobs in (1, 2):
                plain, queued = [], []
                for _ in range(options.rounds):
                    plain.append(bench.without_queue(model, jobs))
                    queued.append(bench.with_queue(model, jobs))
                share = statistics.median(q / p for p, q in zip(plain, queued, strict=True))
                row = {"model": model, "processes": jobs, "plain": plain, "queued": queued, "share": share}
                report["rates"].append(row)
                print(
                    f"{model:10} {jobs} processes: {statistics.median(plain):6.0f}/s without, "
                    f"{statistics.median(queued):6.0f}/s with the queue: {share:.0%}"
                )
        report["taken_up"] = bench.taken_up()
        print(f"work of a killed worker was all done after {report['taken_up']:.1f} s")
        if options.messages:
            report["memory"] = bench.memory(options.messages)
            print(json.dumps(report["memory"], indent=1))
    with redis.Redis.from_url(options.redis) as client:
        client.flushdb()
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
