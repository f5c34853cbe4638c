"""Malformed messages in every list of the queue: they become dead letters, and the worker lives."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from facsimile.workers.ledger.chunks import QueueName
from facsimile.workers.queue.envelopes import Malformed, check
from tests.support.queue_site import Site

TASK = "facsimile.intake"


def envelope(args: object = None, **changes: Any) -> dict[str, Any]:
    """An envelope as docs/queue.md describes it; a change of None leaves a part out."""
    body = [[{"version": 7}], {}, {}] if args is None else args
    whole: dict[str, Any] = {
        "body": base64.b64encode(json.dumps(body).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": TASK, "id": "d57bba6c"},
        "properties": {
            "correlation_id": "d57bba6c",
            "delivery_tag": "38e21c14",
            "delivery_info": {"exchange": "", "routing_key": "facsimile.maintenance"},
            "delivery_mode": 2,
            "priority": 0,
            "body_encoding": "base64",
        },
    }
    for path, value in changes.items():
        *parents, name = path.split("__")
        part = whole
        for parent in parents:
            part = part[parent]
        if value is None:
            part.pop(name, None)
        else:
            part[name] = value
    return whole


MALFORMED: list[object] = [
    *(
        b"garbage that is no envelope",
        b"",
        b"\xff\xfe\0",
        b"[" * 50_000,
        b'{"__type__":"uuid","__value__":7}',
    ),
    *([], {}, None, 7, "text", [[]], {"body": "x"}, {"body": "x", "properties": {}}),
    *(envelope(headers=None), envelope(properties=None), envelope(headers=[]), envelope(properties="x")),
    *(envelope(headers__id=None), envelope(headers__id=7), envelope(headers__task="celery.chain")),
    *(envelope(headers__task=None), envelope(headers__task=[]), envelope(headers__task="facsimile.nothing")),
    *(envelope(headers__eta=7), envelope(headers__timelimit="x"), envelope(headers__expires={})),
    *(envelope(headers__compression="application/x-gzip"), envelope(headers__retries="x")),
    *(envelope(properties__delivery_tag=None), envelope(properties__delivery_tag=["x"])),
    *(envelope(properties__delivery_info=None), envelope(properties__delivery_info={"exchange": ""})),
    *(envelope(properties__body_encoding="rot13"), envelope(body=7), envelope(body="%%%")),
    *(envelope([]), envelope({}), envelope([[], {}, {}]), envelope([[1, 2, 3], {}, {}]), envelope("text")),
    *(
        envelope([[{}], {}, {"chain": [{"task": TASK}]}]),
        envelope([[7], {}, {}], headers__task="facsimile.work"),
    ),
    *(
        {**envelope(), "content-type": "application/x-python-serialize"},
        {**envelope(), "content-encoding": []},
    ),
]


#: those that ended a worker, each in its own way
WORST = [*MALFORMED[:9], envelope(headers__id=None), envelope(headers__timelimit="x"), envelope([])]


def raw(message: object) -> bytes:
    return message if isinstance(message, bytes) else json.dumps(message).encode()


def test_a_worker_outlives_malformed_messages_and_keeps_them(site: Site, pictures: Path) -> None:
    site.shell.json("index", "create")
    good = envelope([[{"version": 1, "source": str(min(pictures.iterdir()))}], {}, {}])
    unreadable = [envelope([[message], {}, {}]) for message in ("text", 7, {"version": 1 << 70}, "\ud800")]
    with redis.Redis.from_url(site.broker) as client:
        for number, message in enumerate(WORST):
            client.lpush(list(QueueName)[number % len(QueueName)].value, raw(message))
        worker = site.worker(program="")
        for message in WORST + unreadable:
            client.lpush(QueueName.MAINTENANCE.value, raw(message))
        client.lpush(QueueName.MAINTENANCE.value, raw(good))
        accepted = 2 * len(WORST) + len(unreadable) + 1
        found = site.until("intake", lambda job: job["accepted"] == accepted and not job["pending"])
        assert worker.poll() is None, site.logs()[-3000:]
        assert not client.keys("*pidbox*")  # nobody who reaches Redis commands a worker
        # what Celery has taken is acknowledged: the beat's own messages alone come and go
        assert client.hlen("unacked") < 10
    assert found["failed"] == accepted  # the good one names a file, which strangers may not
    letters = site.shell("letters", "--job", "intake", "--json").lines
    assert len(letters) == accepted
    reasons = " ".join(letter["reason"] for letter in letters)
    assert "is not a task of Facsimile: it is not JSON" in reasons
    assert "facsimile.maintenance" in reasons and "facsimile.live" in reasons
    assert any("garbage that is no envelope" in letter.get("raw", "") for letter in letters)
    assert site.nothing_is_lost(site.hand_over(min(pictures.iterdir())), 1)


@pytest.mark.parametrize("message", MALFORMED, ids=lambda message: str(message)[:40])
def test_malformed_messages_are_told_from_tasks(message: object) -> None:
    with pytest.raises(Malformed):
        check(raw(message), TASKS)


def test_a_task_of_ours_passes() -> None:
    work = {"headers__task": "facsimile.work"}
    check(raw(envelope()), TASKS)
    check(raw(envelope(headers__eta="2026-01-01T00:00:00", headers__timelimit=[3600, None])), TASKS)
    check(raw(envelope([["id"], {}, None], **work)), TASKS)
    check(raw(envelope([["id"], {}, {"callbacks": None, "chain": None}], **work)), TASKS)


PARTS = [
    "headers",
    "headers__id",
    "headers__task",
    "headers__eta",
    "headers__timelimit",
    "properties",
    "body",
]
ONE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
VALUES = ONE | st.lists(ONE, max_size=3) | st.dictionaries(st.text(max_size=3), ONE)


@given(
    st.sampled_from(PARTS),
    VALUES | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=3), VALUES),
)
def test_no_message_raises_another_error(part: str, value: object) -> None:
    with suppress(Malformed):
        check(raw(envelope(**{part: value})), TASKS)


def _take(message: dict[str, Any]) -> None:
    pass


def _work(id: str) -> None:
    pass


TASKS: dict[str, Callable[..., object]] = {TASK: _take, "facsimile.work": _work}
