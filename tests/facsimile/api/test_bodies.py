"""Bodies made to cost more than they say: JSON of many values, many faults, long names; and late answers."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import threading
import time
from base64 import b64encode

import httpx
import pytest

from tests.support.pictures import photo_jpeg

MEGA = 1_000_000

JSON = {"Content-Type": "application/json"}

BOMBS = {
    "unknown fields": ("/v1/search", b"{" + b",".join(b'"%06x":1' % n for n in range(400_000)) + b"}"),
    "objects in metadata": ("/v1/images", b'{"metadata":{"a":[' + b"{}," * 1_000_000 + b"{}]}}"),
    "faulty images": ("/v1/images/batch", b'{"images":[' + b'{"x":1,"y":1,"z":1},' * 100_000 + b"{}]}"),
    "one long text": ("/v1/search", b'{"text":"' + b"a" * 20 * MEGA + b'"}'),
    "beside a picture": (
        "/v1/search",
        b'{"image_base64":"' + b"A" * MEGA + b'","filter":{' + b'"a":"b",' * 500_000 + b'"c":"d"}}',
    ),
    "a picture in a text": ("/v1/search", b'{"text":"\\"image_base64\\":' + b"a" * 20 * MEGA + b'"}'),
    "a route without pictures": ("/v1/scans", b'{"name":"' + b"a" * 20 * MEGA + b'"}'),
    "a form without files": ("/v1/images", b"title=" + b"a" * 20 * MEGA),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_body_of_many_values_is_refused_while_others_are_answered(start, bomb):
    api = start()
    path, body = BOMBS[bomb]
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if "form" in bomb else JSON
    longest = 0.0
    ended = threading.Event()

    def look() -> None:
        nonlocal longest
        with httpx.Client() as client:
            while not ended.is_set():
                began = time.monotonic()
                client.get(f"{api.url}/healthz", timeout=60)
                longest = max(longest, time.monotonic() - began)

    watching = threading.Thread(target=look)
    watching.start()
    try:
        answer = api.http.post(path, content=body, headers=kind)
    finally:
        ended.set()
        watching.join()
    assert answer.status_code == 413, answer.text[:500]
    assert answer.json()["type"] == "urn:facsimile:too-large"
    assert len(answer.content) < 2000
    assert longest < 3  # a busy machine; it was half a minute


def test_only_the_first_faults_are_told(api):
    many = json.dumps({f"{'x' * 300}{n}": n for n in range(2000)})
    for path, headers in (("/v1/search", JSON), ("/v1/compare", JSON)):
        answer = api.http.post(path, content=many, headers=headers)
        assert answer.status_code == 422
        problem = answer.json()
        assert len(problem["errors"]) == 20
        assert "more" in problem["detail"]
        assert len(answer.content) < 10_000
    query = "&".join(f"limit=x{n}" for n in range(500))
    assert len(api.http.get(f"/v1/images?{query}").json().get("errors", [])) <= 20


def test_large_pictures_and_many_words_are_still_taken(start):
    api = start(max_bytes=20 * MEGA)
    data = photo_jpeg() + bytes(10 * MEGA)  # trailing bytes are no part of the picture
    encoded = b64encode(data).decode()
    pair = {"first": {"image_base64": encoded}, "second": {"image_base64": encoded[: len(encoded) // 4]}}
    assert api.http.post("/v1/search", json={"image_base64": encoded}).status_code == 200
    assert api.http.post("/v1/compare", json=pair).status_code == 200
    metadata = {f"key{n}": {"a": [n, n + 1]} for n in range(1500)}
    kept = api.http.post(
        "/v1/images", json={"image_base64": b64encode(photo_jpeg()).decode(), "metadata": metadata}
    )
    assert kept.status_code == 201, kept.text[:300]


@pytest.mark.slow
@pytest.mark.parametrize("client", ["httpx", "curl", "curl expect", "http.client"])
def test_a_body_that_is_refused_early_gets_its_answer(start, client, tmp_path):
    """413 for its size, and 401 and 421, before the body is read; the clients send it all the same."""
    api = start(keys=True, max_bytes=1000, hosts=("127.0.0.1",))
    body = tmp_path / "body"
    body.write_bytes(bytes(60 * MEGA))
    for headers, status in (({}, 401), (api.key("read"), 413), ({"Host": "elsewhere.example"}, 421)):
        for _ in range(3):
            assert sent(client, f"{api.url}/v1/search", headers, body) == status


def sent(client: str, url: str, headers: dict[str, str], body) -> int:
    """The status that a client gets for a large body."""
    if client == "httpx":
        return httpx.post(url, content=body.read_bytes(), headers={**headers, **JSON}, timeout=60).status_code
    if client == "http.client":  # sends all before it reads
        connection = http.client.HTTPConnection(url.split("/")[2], timeout=60)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/search", body.read_bytes(), {**headers, **JSON})
            return connection.getresponse().status
    expect = [] if client == "curl expect" else ["-H", "Expect:"]
    done = subprocess.run(
        [
            *("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", "Content-Type: application/json"),
            *expect,
            *(each for name, value in headers.items() for each in ("-H", f"{name}: {value}")),
            *("--data-binary", f"@{body}", url),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)
