"""Metrics of a worker: what its children count is added up, and looked at over HTTP."""

from __future__ import annotations

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

#: a worker in small: three children count, one of them is killed over it, the main process serves
PROGRAM = """
import multiprocessing, os, signal, sys
from pathlib import Path
from facsimile.ingest.errors import FetchUnavailable
from facsimile.settings import share_metrics

folder = Path(sys.argv[1])
share_metrics(folder)

from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.pipeline import StageTimings
from facsimile.search.index.base import Status
from facsimile.workers import metrics

def child(dies):
    good = [Outcome(Item("/a"), Status.ADDED), Outcome(Item("/b"), Status.UNCHANGED)]
    bad = [Outcome(Item("/c"), Status.FAILED, "x"), Outcome(Item("/d"), Status.FAILED, "x", FetchUnavailable)]
    metrics.stages(StageTimings(load=1, decode=2, hash=3, model=4, write=5))
    metrics.chunk(good + bad, 0.2, counted=True, tries=2)
    metrics.chunk(good, 0.2, counted=False)
    if dies:
        os.kill(os.getpid(), signal.SIGKILL)

forking = multiprocessing.get_context("fork")
children = [forking.Process(target=child, args=(number == 2,)) for number in range(3)]
for each in children:
    each.start()
for each in children:
    each.join()
reason = []
with metrics.MetricsServer("127.0.0.1", 0, lambda: reason[0] if reason else None, folder=folder) as server:
    print(server.port, flush=True)
    sys.stdin.readline()
    reason.append("Redis is away")
    print("away", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    folder = tmp_path_factory.mktemp("metrics") / "counts"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    _, complaint = process.communicate("\n\n", timeout=30)
    assert (process.returncode, complaint) == (0, "")


@pytest.fixture(scope="module")
def url(worker) -> str:
    return f"http://127.0.0.1:{int(worker.stdout.readline())}"


def fetched(url: str) -> tuple[int, str, str]:
    """Status, type and text of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers["Content-Type"], answer.read().decode()


def test_the_counts_of_all_children_are_added_up_even_of_a_killed_one(url):
    status, kind, text = fetched(f"{url}/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    values = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    stages = ("fetch", "decode", "hash", "cnn", "index")
    seconds = [float(values[f'facsimile_stage_seconds_total{{stage="{stage}"}}']) for stage in stages]
    assert seconds == [3, 6, 9, 12, 15]
    outcomes = ("added", "updated", "unchanged", "failed", "later")
    items = [float(values[f'facsimile_items_total{{outcome="{outcome}"}}']) for outcome in outcomes]
    assert items == [3, 0, 3, 3, 3]
    assert float(values['facsimile_chunks_total{outcome="done"}']) == 3
    assert float(values['facsimile_chunks_total{outcome="superseded"}']) == 3
    assert float(values["facsimile_retried_items_total"]) == 12
    assert float(values["facsimile_chunk_seconds_count"]) == 6


def test_an_unknown_path_says_which_there_are(url):
    assert fetched(f"{url}/metric") == (404, "text/plain; charset=utf-8", "there are /metrics and /healthz\n")


def test_health_is_told_with_its_reason(url, worker):
    assert fetched(f"{url}/healthz?x=1")[::2] == (200, "ok\n")
    worker.stdin.write("\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "away\n"
    assert fetched(f"{url}/healthz")[::2] == (503, "Redis is away\n")


def test_queues_and_ledger_are_looked_at(redis_server, tmp_path: Path):
    from prometheus_client import REGISTRY

    from facsimile.ingest.item import Item
    from facsimile.search.index.base import Signatures
    from facsimile.search.index.opening import open_index
    from facsimile.workers import metrics
    from facsimile.workers.ledger.chunks import Chunk, Chunks, entry_of
    from facsimile.workers.ledger.dead_letters import DeadLetters, unreadable_letter
    from facsimile.workers.queue.broker import Broker

    def value(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, labels)

    broker = Broker(redis_server().url)
    with open_index(str(tmp_path / "index"), None, create=Signatures(hash="phash-1")) as index:
        metrics.observe(broker, index.state)
        assert value("facsimile_overdue_seconds", state="queued") == 0
        chunk = Chunk(id="j/1", job="j", items=(Item("/a"),))
        Chunks(index.state).record([chunk])
        index.state.put([entry_of(Chunk(id="j/2", job="j", items=(Item("/b"),)), due=1)])
        DeadLetters(index.state).put([unreadable_letter("j", "j/1#m0", b"{}", "no version")])
        broker.push(b"{}")
        index.state.refresh()
        metrics.observe(broker, index.state)
    broker.close()
    assert value("facsimile_queue_messages", queue="intake") == 1
    assert value("facsimile_queue_messages", queue="facsimile.compute") == 0
    assert value("facsimile_ledger_chunks", state="queued") == 2
    assert value("facsimile_ledger_chunks", state="running") == 0
    assert value("facsimile_dead_letters") == 1
    assert value("facsimile_overdue_seconds", state="queued") > 1e9
