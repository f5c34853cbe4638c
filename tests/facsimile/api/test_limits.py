"""Limits: what is too large, too slow or too much is turned away, and the server lives on."""

from __future__ import annotations

import io
import json
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support.pictures import photo_jpeg
from tests.support.waiting import wait_until

HEAD = (
    "POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    "Content-Type: multipart/form-data; boundary=x\r\n{length}\r\n\r\n"
)


@pytest.fixture(scope="session")
def heavy() -> bytes:
    """A picture that takes some tenths of a second to read."""
    noise = np.random.default_rng(3).integers(0, 256, (2400, 2400, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "PNG", compress_level=1)
    return out.getvalue()


START = '--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'


def form_of(data: bytes, **fields: str) -> bytes:
    """A form with an image, as it is sent."""
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    return "".join([*parts, START]).encode() + data + b"\r\n--x--\r\n"


def lives(api) -> bool:
    return api.http.post("/v1/search", files={"image": photo_jpeg()}).status_code == 200


def opened(api, head: str) -> socket.socket:
    """A connection on which a request has begun."""
    connection = socket.create_connection(("127.0.0.1", httpx.URL(api.url).port), timeout=20)
    connection.sendall(head.encode())
    return connection


def answer_on(connection: socket.socket) -> tuple[int, dict]:
    """The answer, read to the end of the connection."""
    data = b""
    while chunk := connection.recv(65536):
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_a_body_that_says_it_is_too_large_is_not_even_read(start):
    api = start(max_bytes=100_000)
    with opened(api, HEAD.format(length="Content-Length: 99000000000")) as connection:
        status, problem = answer_on(connection)
    assert (status, problem["type"]) == (413, "urn:facsimile:too-large")
    assert lives(api)


def test_an_endless_body_is_cut_off(start):
    api = start(max_bytes=100_000)
    sent = 0

    def endless():
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
        while sent < 500_000_000:
            yield bytes(65536)
            sent += 65536

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = api.http.post("/v1/search", content=endless(), headers=headers)
    assert answer.status_code == 413
    assert sent < 20_000_000
    assert lives(api)


@pytest.mark.parametrize("head", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come_ends_the_request(start, head):
    api = start(body_seconds=0.3)
    with opened(api, HEAD.format(length=head)) as connection:
        status, problem = answer_on(connection)
    assert (status, problem["type"]) == (408, "urn:facsimile:body-too-slow")
    assert lives(api)


def test_an_answer_to_half_a_body_ends_the_connection(api):
    head = HEAD.format(length="Content-Length: 5000").replace("multipart/form-data", "text/plain")
    with opened(api, head) as connection:
        status, _ = answer_on(connection)
    assert status == 415


def test_a_body_that_drips_ends_the_request(start):
    api = start(body_seconds=0.5)
    with opened(api, HEAD.format(length="Content-Length: 5000")) as connection:
        for step in range(6):
            connection.sendall(START.encode() if step == 0 else b"-")
            time.sleep(0.05)
        status, _ = answer_on(connection)
    assert status == 408


def test_a_file_is_limited_also_where_the_body_is_not_too_large(start):
    api = start(max_bytes=100_000)
    answer = api.http.post("/v1/search", files={"image": bytes(100_001)})
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:facsimile:too-large")


def test_pixels_are_limited(start):
    api = start(settings={"max_pixels": 10_000})
    answer = api.http.post("/v1/search", files={"image": photo_jpeg()})
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:facsimile:image-too-large")


def test_batches_are_limited(start):
    api = start(max_batch=2)
    queries = [{"id": "a"}] * 3
    assert api.http.post("/v1/search/batch", json={"queries": queries}).status_code == 422
    assert api.http.post("/v1/images/batch", json={"images": []}).status_code == 422
    files = [("image", photo_jpeg())] * 3
    assert api.http.post("/v1/search/batch", files=files).status_code == 400
    assert api.http.post("/v1/search/batch", files=files[:2]).status_code == 200


def test_all_bodies_together_are_limited(start):
    api = start(max_bytes=2_000_000, buffer_bytes=1_000_000)
    body = form_of(bytes(600_000))
    head = HEAD.format(length=f"Content-Length: {len(body)}\r\nConnection: close")
    with opened(api, head) as one, opened(api, head) as other:
        for connection in (one, other):
            connection.sendall(body[:-10])
        (refused,), _, _ = select.select([one, other], [], [], 20)
        status, problem = answer_on(refused)
        assert (status, problem["type"]) == (503, "urn:facsimile:busy")
        kept = other if refused is one else one
        kept.sendall(body[-10:])
        assert answer_on(kept)[0] == 415
    assert lives(api)


def test_a_caller_that_sends_all_before_it_reads_gets_its_answer(start):
    api = start(max_bytes=100_000)
    body = form_of(bytes(3_000_000))
    with opened(api, HEAD.format(length=f"Content-Length: {len(body)}")) as connection:
        for at in range(0, len(body), 100_000):
            connection.sendall(body[at : at + 100_000])
            time.sleep(0.01)
        status, problem = answer_on(connection)
    assert (status, problem["type"]) == (413, "urn:facsimile:too-large")
    assert lives(api)


def wait_for(ask, good):
    """The first good answer."""

    def answer():
        found = ask()
        return [found] if good(found) else []

    return wait_until(answer, "a good answer")[0]


@pytest.mark.slow
def test_a_burst_is_answered_or_turned_away_and_never_fails(start, heavy):
    api = start(threads=1, line=2)
    with ThreadPoolExecutor(24) as clients:
        answers = list(
            clients.map(
                lambda _: httpx.post(f"{api.url}/v1/search", files={"image": heavy}, timeout=60), range(24)
            )
        )
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["type"] == "urn:facsimile:busy"
            assert int(answer.headers["retry-after"]) >= 1
    assert lives(api)


def test_work_that_takes_too_long_is_given_up(start, heavy):
    api = start(stage_seconds=0.01, threads=1, line=0)
    answer = api.http.post("/v1/search", files={"image": heavy})
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:facsimile:timeout")
    # its thread is taken until the work really ends
    wait_for(lambda: lives(api), bool)


def test_a_client_that_leaves_takes_its_place_in_the_line_with_it(start, heavy):
    api = start(threads=1, line=4)
    part = form_of(heavy)
    head = HEAD.format(length=f"Content-Length: {len(part)}")
    for _ in range(5):
        with opened(api, head) as connection:
            connection.sendall(part)
    wait_for(lambda: lives(api), bool)
    figures = wait_for(
        lambda: api.http.get("/metrics").text,
        lambda text: 'facsimile_http_stage_requests{stage="describe"} 0.0' in text,
    )
    assert 'status="499"' in figures


def test_a_write_whose_client_leaves_is_done(start, heavy):
    api = start()
    part = form_of(heavy, id="a")
    head = HEAD.format(length=f"Content-Length: {len(part)}").replace("/search", "/images")
    with opened(api, head) as connection:
        connection.sendall(part)
        wait_for(lambda: api.http.get("/metrics").text, lambda text: 'stage="describe"' in text)
    wait_for(lambda: api.http.get("/v1/images/a").status_code, lambda status: status == 200)


def test_nonsense_on_the_wire_is_no_fault_of_ours(api):
    for head in (
        "POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Content-Length: 2\r\nConnection: close\r\n\r\n{]",
        "POST /v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data\r\n"
        "Content-Length: 2\r\nConnection: close\r\n\r\n{]",
        "GET /v1/images/%FF%00 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        "GET /v1/images/%E0%80 HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n",
    ):
        with opened(api, head) as connection:
            status, problem = answer_on(connection)
        assert status in (400, 404, 422), problem
        assert problem["status"] == status


def test_with_too_many_requests_on_their_way_the_next_hears_when_to_come_back(start):
    api = start(requests=2)
    head = HEAD.format(length="Content-Length: 5000\r\nConnection: close")
    with opened(api, head) as one, opened(api, head) as other:
        for connection in (one, other):
            connection.sendall(START.encode())
        refused = wait_for(
            lambda: api.http.post("/v1/search", files={"image": photo_jpeg()}),
            lambda each: not each.is_success,
        )
        assert (refused.status_code, refused.json()["type"]) == (503, "urn:facsimile:busy")
        assert int(refused.headers["retry-after"]) >= 1
        assert api.http.get("/healthz").status_code == 200
    assert wait_for(lambda: lives(api), bool)


def test_writes_and_searches_at_once_all_come_to_their_end(start):
    api = start(threads=1)
    with ThreadPoolExecutor(8) as clients:
        stored = [
            clients.submit(httpx.put, f"{api.url}/v1/images/{place}", files={"image": photo_jpeg(place % 6)})
            for place in range(12)
        ]
        asked = [
            clients.submit(httpx.post, f"{api.url}/v1/search", files={"image": photo_jpeg(place % 6)})
            for place in range(12)
        ]
    assert {each.result().status_code for each in stored} == {201}
    assert {each.result().status_code for each in asked} == {200}
