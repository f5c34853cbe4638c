"""Webhooks over real HTTP, to the receiver that the documentation shows."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from facsimile.search.errors import InvalidRequest
from facsimile.search.retry import Backoff
from facsimile.workers import webhook
from facsimile.workers.webhook import Endpoint, Webhooks, sign
from tests.support.pictures import NAMES
from tests.support.scan_case import Case
from tests.support.waiting import wait_until

SECRET = "a secret of sixteen bytes and more"

ROOT = Path(__file__).parents[2]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    case = Case(tmp_path, str(tmp_path / "index"))
    case.fill(unrelated=0)
    return case


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The documented receiver on a free port, and the file of what it heard."""
    text = (ROOT / "docs" / "scanning.md").read_text()
    *_, program = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    heard = tmp_path / "heard.jsonl"
    with heard.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", program, SECRET, str(port)], stdout=out, stderr=subprocess.DEVNULL
        )

        def listens() -> bool:
            assert process.poll() is None
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True

        wait_until(listens, "the receiver", ignore=(ConnectionRefusedError,))
        yield port, heard
        process.kill()
        process.wait()


def endpoint(port: int, **changes: Any) -> Endpoint:
    return Endpoint(
        **{"url": f"http://127.0.0.1:{port}/hook", "secret": SECRET, "allow_private": True, **changes}
    )


def test_the_end_of_a_scan_is_told_once(case: Case, receiver: tuple[int, Path]) -> None:
    port, heard = receiver
    changes = {
        "webhook_url": f"http://127.0.0.1:{port}/hook",
        "webhook_secret": SECRET,
        "webhook_allow_private": True,
    }
    with case.open(**changes) as index:
        index.scanning.allowances.add({"source": "*/rocket.png"})
        done = case.scan(index)
        assert index.scanning.webhooks.last("works") == {"state": "delivered", "tries": 1, "reason": None}
        index.scanning.announce(done.scan, done.run)
        index.scanning.webhooks.deliver()
    (told,) = map(json.loads, heard.read_text().splitlines())
    assert (told["scan"]["scan"], told["run"]["id"], told["run"]["works"]) == (
        "works",
        done.run.id,
        len(NAMES),
    )
    assert told["new_findings"] == 2
    assert {Path(each["suspect"]["source"]).name for each in told["findings"]} == {
        "cat.jpg",
        "cat-border.jpg",
    }


def test_the_receiver_refuses_what_is_not_ours(receiver: tuple[int, Path]) -> None:
    port, heard = receiver
    body = json.dumps({"type": "scan.finished", "id": "1", "data": {}}).encode()
    now = int(time.time())

    def post(headers: dict[str, str], body: bytes = body) -> int:
        connection = HTTPConnection("127.0.0.1", port)
        connection.request("POST", "/", body, headers)
        status = connection.getresponse().status
        connection.close()
        return status

    good = sign(endpoint(port), "1", now, body)
    assert post(good, body.replace(b"finished", b"finishes")) == 401
    assert post({**good, "webhook-id": "2"}) == 401
    assert post({**good, "webhook-timestamp": str(now + 1)}) == 401
    assert post(sign(endpoint(port, secret="another secret, as long"), "1", now, body)) == 401
    assert post(sign(endpoint(port), "1", now - 3600, body)) == 401
    assert heard.read_text() == ""
    assert (post(good), post(good)) == (204, 204)
    assert heard.read_text() == "{}\n"


class _Stubborn(BaseHTTPRequestHandler):
    """Answers as it is told, and keeps what came."""

    answers: ClassVar[list[int]] = []
    came: ClassVar[list[tuple[str, str, bytes]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.came.append((self.headers["webhook-id"], self.headers["webhook-signature"], body))
        self.send_response(self.answers.pop(0))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def stubborn() -> Iterator[int]:
    _Stubborn.answers, _Stubborn.came = [], []
    with HTTPServer(("127.0.0.1", 0), _Stubborn) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def announced(case: Case, hooks: Webhooks) -> None:
    hooks.announce("run-1", "scan.finished", "works", lambda: {"n": 1})


def test_it_is_sent_again_until_it_is_heard(
    case: Case, stubborn: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "BACKOFF", Backoff(first=0.0))
    _Stubborn.answers = [500, 302, 429, 200]
    with case.open() as index:
        hooks = Webhooks(index.index.state, endpoint(stubborn))
        announced(case, hooks)
        assert [hooks.deliver() for _ in range(5)] == [0, 0, 0, 1, 0]
        assert hooks.last("works") == {"state": "delivered", "tries": 4, "reason": None}
    assert len({(id, body) for id, _, body in _Stubborn.came}) == 1


def test_it_is_given_up_and_that_is_kept(case: Case, stubborn: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "BACKOFF", Backoff(first=0.0))
    _Stubborn.answers = [500] * 20
    with case.open() as index:
        hooks = Webhooks(index.index.state, endpoint(stubborn))
        announced(case, hooks)
        for _ in range(webhook.TRIES + 2):
            hooks.deliver()
        reason = "the receiver responded with status 500"
        assert hooks.last("works") == {"state": "given up", "tries": webhook.TRIES, "reason": reason}
    assert len(_Stubborn.came) == webhook.TRIES


def test_a_pause_grows_between_tries(case: Case, stubborn: int) -> None:
    _Stubborn.answers = [500] * 3
    with case.open() as index:
        hooks = Webhooks(index.index.state, endpoint(stubborn))
        announced(case, hooks)
        assert [hooks.deliver(), hooks.deliver()] == [0, 0]
    assert len(_Stubborn.came) == 1


def test_private_addresses_are_refused(case: Case, stubborn: int) -> None:
    with case.open() as index:
        hooks = Webhooks(index.index.state, endpoint(stubborn, allow_private=False))
        announced(case, hooks)
        assert hooks.deliver() == 0
        assert "private network" in (hooks.last("works") or {})["reason"]
    assert not _Stubborn.came


def test_secrets_that_protect_nothing_are_refused(case: Case) -> None:
    for secret, told in (
        ("short", "shorter than 16"),
        ("whsec_***", "not base64"),
        ("whsec_YWJj", "shorter"),
    ):
        with pytest.raises(InvalidRequest, match=told):
            endpoint(1, secret=secret)
    with (
        case.open(webhook_url="https://example.org/hook") as index,
        pytest.raises(InvalidRequest, match="WEBHOOK_SECRET"),
    ):
        index.scan(case.suspects, catalogue="default")
    assert SECRET not in repr(endpoint(1))
