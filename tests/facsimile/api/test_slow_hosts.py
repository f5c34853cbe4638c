"""Hosts that do not answer: their images fail in time, and those of other hosts come meanwhile."""

from __future__ import annotations

import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.pictures import photo_jpeg

pytestmark = pytest.mark.slow


#: seconds in which an image must have come or failed
LIMIT = 7.0


@pytest.fixture
def silent():
    """A host that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        yield server


def address(silent: socket.socket, number: int = 0) -> str:
    return f"http://127.0.0.1:{silent.getsockname()[1]}/{number}"


@pytest.mark.parametrize("requests", [8, 36])
def test_a_host_that_does_not_answer_takes_nothing_from_others(start, web, silent, requests):
    api = start(stage_seconds=LIMIT, settings={"fetch_allow_private": True, "api_timeout": LIMIT})
    web.serve("/a.jpg", photo_jpeg())
    good = {"url": web.url("/a.jpg", host="localhost")}

    assert api.http.post("/v1/search", json=good).status_code == 200

    def ask(number: int) -> tuple[httpx.Response, float]:
        began = time.monotonic()
        answer = httpx.post(f"{api.url}/v1/search", json={"url": address(silent, number)}, timeout=60)
        return answer, time.monotonic() - began

    with ThreadPoolExecutor(requests) as clients:
        slow = [clients.submit(ask, number) for number in range(requests)]
        select.select([silent], [], [], LIMIT)  # the first of them has come
        for _ in range(3):
            began = time.monotonic()
            assert api.http.post("/v1/search", json=good).status_code == 200
            assert time.monotonic() - began < LIMIT - 2
        assert not all(each.done() for each in slow)
        answers = [each.result() for each in slow]
    assert max(seconds for _, seconds in answers) < LIMIT + 5
    told = {answer.json()["type"] for answer, _ in answers}
    assert told <= {"urn:facsimile:fetch-failed", "urn:facsimile:busy", "urn:facsimile:timeout"}
    assert "urn:facsimile:fetch-failed" in told
    if requests == 36:
        busy = next(answer for answer, _ in answers if answer.status_code == 503)
        assert int(busy.headers["retry-after"]) >= 1
    assert api.http.post("/v1/search", json=good).status_code == 200


def test_a_slow_image_of_a_batch_is_its_own_error(start, web, silent):
    api = start(settings={"fetch_allow_private": True, "fetch_timeout": 1.0})
    web.serve("/a.jpg", photo_jpeg())
    web.serve("/hop", b"", 302, Location="data:image/png;base64,AAAA")
    urls = [address(silent), web.url("/hop"), web.url("/a.jpg")]
    answer = api.http.post("/v1/search/batch", json={"queries": [{"url": url} for url in urls]})
    assert answer.status_code == 200, answer.text
    errors = [each["error"] and each["error"]["type"] for each in answer.json()["answers"]]
    assert errors == ["urn:facsimile:fetch-failed", "urn:facsimile:url-refused", None]
