"""The ways in which other services hand a message over, as docs/queue.md shows them, through a real Redis."""

from __future__ import annotations

import base64
import json
import queue
import re
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from celery.contrib.testing.worker import start_worker

from facsimile.ingest.item import Item
from facsimile.ingest.message import parse

PAGE = (Path(__file__).parent.parent.parent / "docs" / "queue.md").read_text()
QUEUE = "facsimile.maintenance"
ITEM = Item("https://example.org/a.jpg", id="a-17")


def example(language: str) -> str:
    """The page's only example in a language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return text


@pytest.fixture
def server(redis_server):
    return redis_server()


def received(url: str) -> Any:
    """What a Celery worker hands to the task for the one message that waits."""
    app = Celery("receiver", broker=url, set_as_current=False)
    app.conf.update(task_default_queue=QUEUE, task_ignore_result=True, worker_hijack_root_logger=False)
    seen: queue.Queue[Any] = queue.Queue()
    app.task(name="facsimile.intake", shared=False)(seen.put)
    with start_worker(app, pool="solo", perform_ping_check=False):
        return seen.get(timeout=30)


def test_the_message_on_the_command_line_is_an_item():
    (message,) = re.findall(r"RPUSH facsimile:intake '(.*)'", example("sh"))
    assert parse(message.encode(), max_inline_bytes=0) == ITEM


def test_what_the_python_example_sends_reaches_the_task(server):
    exec(example("python").replace("redis://localhost:6379/0", server.url), {})
    assert parse(received(server.url), max_inline_bytes=0) == ITEM


def test_the_envelope_that_the_page_shows_reaches_the_task(server):
    envelope = example("json")
    message = {"version": 1, "source": ITEM.source, "id": ITEM.id}
    assert json.loads(base64.b64decode(json.loads(envelope)["body"])) == [[message], {}, {}]
    with redis.Redis.from_url(server.url) as client:
        client.lpush(QUEUE, envelope)
    assert received(server.url) == message
