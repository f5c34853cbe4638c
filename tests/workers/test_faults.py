"""What may die while the queue brings images in: afterwards each is indexed or listed as failed, once.

The chunks of a fault are not chosen: a fault strikes while work is under way, as in life.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import elasticsearch
import pytest

from tests.support.elasticsearch_node import ElasticsearchNode
from tests.support.queue_site import PICTURES, SLOW, Site
from tests.support.redis_server import RedisServer
from tests.support.waiting import wait_until

#: what makes a file a poison to the workers of these tests: reading it ends the process
POISON = b"poison to the decoder"

#: a decoder that crashes, for which there is no real picture
CRASHES = f"""{SLOW}
import os, signal
import facsimile.ingest.pipeline
whole = facsimile.ingest.pipeline.describe_many
def describe_many(datas, **more):
    if any({POISON!r} in data for data in datas):
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(datas, **more)
facsimile.ingest.pipeline.describe_many = describe_many
"""

#: the same for one that never ends
HANGS = CRASHES.replace("os.kill(os.getpid(), signal.SIGKILL)", "__import__('time').sleep(1000)")


def some(found: Any) -> bool:
    """Work is under way."""
    return 48 <= found["added"] < PICTURES - 96


def test_all_is_indexed_once(site: Site, pictures: Path) -> None:
    site.worker(processes=2)
    job = site.hand_over(pictures)
    found = site.nothing_is_lost(job, PICTURES)
    assert (found["state"], found["added"]) == ("finished", PICTURES)
    again = site.nothing_is_lost(site.hand_over(pictures), PICTURES)
    assert again["unchanged"] == PICTURES


def test_kill_children(site: Site, pictures: Path) -> None:
    worker = site.worker(processes=2, program=SLOW)
    job = site.hand_over(pictures)
    site.until(job, some)
    for _ in range(3):
        for child in site.children(worker):
            with suppress(ProcessLookupError):  # it has had its share of work, and another takes its place
                os.kill(child, signal.SIGKILL)
        site.job(job)
    site.nothing_is_lost(job, PICTURES)


def test_kill_a_worker(site: Site, pictures: Path) -> None:
    worker = site.worker(processes=2, program=SLOW)
    job = site.hand_over(pictures)
    site.until(job, some)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    assert site.job(job)["pending"]
    site.worker()
    site.nothing_is_lost(job, PICTURES)


def test_sigterm_gives_work_back(site: Site, pictures: Path) -> None:
    worker = site.worker(processes=2, program=SLOW)
    job = site.hand_over(pictures)
    site.until(job, some)
    worker.send_signal(signal.SIGTERM)
    worker.wait(timeout=40)
    site.worker()
    site.nothing_is_lost(job, PICTURES)


@pytest.mark.parametrize("loss", ["a restart", "everything"])
def test_redis_dies(
    loss: str,
    site_of: Callable[[str, str], Site],
    redis_server: Callable[..., RedisServer],
    tmp_path: Path,
    pictures: Path,
) -> None:
    server = redis_server()
    site = site_of(str(tmp_path / "index"), server.url)
    site.worker(program=SLOW)
    job = site.hand_over(pictures)
    site.until(job, some)
    if loss == "everything":
        server.flush()
    else:
        server.kill()
        server.start()
    site.nothing_is_lost(job, PICTURES)


def test_elasticsearch_is_away(
    elasticsearch_node: ElasticsearchNode,
    site_of: Callable[[str, str], Site],
    redis_server: Callable[..., RedisServer],
    pictures: Path,
) -> None:
    node = elasticsearch_node
    site = site_of(f"{node.url}/away-{uuid4().hex}", redis_server().url)
    site.worker(processes=2, program=SLOW)
    job = site.hand_over(pictures)
    site.until(job, some)
    node.kill()
    wait_until(lambda: "IndexUnavailable" in site.logs(), "a worker to miss the index")
    node.start()
    site.nothing_is_lost(job, PICTURES)


def test_a_full_disk(
    elasticsearch_url: str,
    site_of: Callable[[str, str], Site],
    redis_server: Callable[..., RedisServer],
    pictures: Path,
) -> None:
    """Elasticsearch sets this block itself when its disk is almost full."""
    site = site_of(f"{elasticsearch_url}/full-disk", redis_server().url)
    client = elasticsearch.Elasticsearch(elasticsearch_url)
    site.worker(processes=2, program=SLOW)
    job = site.hand_over(pictures)
    site.until(job, some)
    for blocked in (True, None):
        client.indices.put_settings(
            index="full-disk-*", settings={"index.blocks.read_only_allow_delete": blocked}
        )
        if blocked:
            assert site.job(job)["pending"]
            wait_until(lambda: "IndexReadOnly" in site.logs(), "a worker to meet the block")
    client.close()
    site.nothing_is_lost(job, PICTURES)


def test_messages_that_come_twice(site: Site, pictures: Path) -> None:
    from facsimile.workers.ledger.chunks import QueueName
    from facsimile.workers.queue.app import WORK, make_app
    from facsimile.workers.queue.producer import CHUNK_ITEMS

    job = site.hand_over(pictures)
    app = make_app(site.broker)
    for number in reversed(range(PICTURES // CHUNK_ITEMS + 1)):
        app.send_task(WORK, args=[f"{job}/{number:08}"], queue=QueueName.LIVE.value)
    site.worker(processes=2)
    assert site.nothing_is_lost(job, PICTURES)["added"] == PICTURES


@pytest.mark.parametrize("fault", ["crashes", "hangs"])
def test_a_poison_image(
    fault: str,
    site_of: Callable[[str, str], Site],
    redis_server: Callable[..., RedisServer],
    tmp_path: Path,
    pictures: Path,
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    files = sorted(pictures.iterdir())[:100]
    for path in files:
        shutil.copy(path, folder)
    poison = folder / "0050-poison.jpg"
    poison.write_bytes(files[0].read_bytes() + POISON)
    site = site_of(str(tmp_path / "index"), redis_server().url)
    site.shell = site.shell.having(FACSIMILE_IMAGE_TIMEOUT="2")
    site.worker(processes=2, program=CRASHES if fault == "crashes" else HANGS)
    job = site.hand_over(folder)
    site.nothing_is_lost(job, 101, failed=1)
    (letter,) = site.shell("letters", "--json").lines
    assert letter["source"] == str(poison)
    assert "killed its worker" in letter["reason"]


def test_cancel(site: Site, pictures: Path) -> None:
    job = site.hand_over(pictures)
    assert site.shell("job", job, "--cancel").code == 0
    site.worker()
    found = site.finished(job)
    assert (found["state"], found["cancelled"], found["pending"]) == ("cancelled", PICTURES, 0)
    assert site.shell.count == 0
