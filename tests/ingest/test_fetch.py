"""Fetching by HTTP: what is refused, what is bounded, what is tried again."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler

import pytest

from facsimile.ingest import fetch
from facsimile.ingest.errors import (
    FetchRejected,
    FetchTimeout,
    FetchUnavailable,
    SourceNotAllowed,
    SourceTooLarge,
)
from facsimile.ingest.fetch import Fetcher
from facsimile.ingest.fetch_limits import FetchLimits
from facsimile.search.retry import Backoff
from tests.support.web_server import Web

OPEN = FetchLimits(allow_private=True, max_bytes=100_000, total_seconds=5, read_seconds=2, attempts=1)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "BACKOFF", Backoff(first=0.01))


def get(url: str, **changes: object) -> bytes:
    with Fetcher(FetchLimits(**{**_fields(OPEN), **changes})) as fetcher:  # type: ignore[arg-type]
        return fetcher.fetch(url)


def _fields(limits: FetchLimits) -> dict[str, object]:
    return {name: getattr(limits, name) for name in FetchLimits.__slots__}


def test_the_bytes_arrive_as_they_are(web: Web) -> None:
    body = bytes(range(256)) * 100
    assert get(web.serve("/a.jpg", body)) == body


def test_proxies_of_the_environment_are_not_used(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    assert get(web.serve("/a.jpg", b"image")) == b"image"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"],
)
def test_this_machine_is_refused_however_it_is_written(web: Web, host: str) -> None:
    web.serve("/secret", b"secret")
    with pytest.raises(SourceNotAllowed, match="private network"):
        get(web.url("/secret", host), allow_private=False)
    assert web.hits == []


def test_one_private_address_among_public_ones_is_refused() -> None:
    with (
        Fetcher(resolver=lambda host, port: ["8.8.8.8", "10.0.0.1"]) as fetcher,
        pytest.raises(SourceNotAllowed),
    ):
        fetcher.fetch("http://two-faced.example/a.jpg")


def test_a_second_dns_answer_changes_nothing(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checked address itself is connected to: no name is looked up a second time."""
    web.serve("/secret", b"secret")
    asked: list[str] = []

    def first_public_then_private(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["192.0.2.1"] if len(asked) > 1 else ["203.0.113.7"]

    reached: list[str] = []

    def connect(address: tuple[str, int], *args: object, **kwargs: object) -> socket.socket:
        reached.append(address[0])
        raise ConnectionRefusedError("no such neighbour")

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr("facsimile.ingest.addresses.is_public", lambda address: str(address) == "203.0.113.7")
    limits = FetchLimits(attempts=1)
    with Fetcher(limits, resolver=first_public_then_private) as fetcher:
        with pytest.raises(FetchUnavailable):
            fetcher.fetch(f"http://rebinding.example:{web.port}/secret")
        with pytest.raises(SourceNotAllowed):
            fetcher.fetch(f"http://rebinding.example:{web.port}/secret")
    assert asked == ["rebinding.example", "rebinding.example"]
    assert reached == ["203.0.113.7"]


def test_the_name_is_sent_although_the_address_is_connected_to(web: Web) -> None:
    seen: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers["Host"])
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    web.routes["/a"] = answer
    with Fetcher(OPEN, resolver=lambda host, port: ["127.0.0.1"]) as fetcher:
        assert fetcher.fetch(web.url("/a", "pictures.example")) == b"ok"
    assert seen == [f"pictures.example:{web.port}"]


def test_a_redirect_to_a_private_address_is_refused(web: Web) -> None:
    """The first host counts as public here, the second is this machine by its number."""
    web.serve("/secret", b"secret")
    web.serve("/hop", b"", 302, Location=web.url("/secret", "127.0.0.2"))

    def resolver(host: str, port: int) -> list[str]:
        return {"public.example": ["127.0.0.1"]}.get(host, ["10.0.0.1"])

    with (
        pytest.MonkeyPatch.context() as patch,
        Fetcher(FetchLimits(attempts=1), resolver=resolver) as fetcher,
    ):
        patch.setattr("facsimile.ingest.addresses.is_public", lambda address: str(address) == "127.0.0.1")
        with pytest.raises(SourceNotAllowed, match="private network"):
            fetcher.fetch(web.url("/hop", "public.example"))
    assert web.hits == ["/hop"]


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://example.org/a", "gopher://x/", "http://u:p@x/"]
)
def test_a_redirect_to_another_kind_of_address_is_refused(web: Web, location: str) -> None:
    url = web.serve("/hop", b"", 302, Location=location)
    with pytest.raises(SourceNotAllowed):
        get(url)


@pytest.mark.parametrize(
    "url", ["ftp://example.org/a.jpg", "http://user:secret@example.org/a.jpg", "http://", "http://[::1"]
)
def test_other_addresses_are_refused_without_showing_secrets(url: str) -> None:
    with pytest.raises(SourceNotAllowed) as refused:
        get(url)
    assert "secret" not in str(refused.value)


def test_errors_do_not_show_the_query(web: Web) -> None:
    with pytest.raises(FetchRejected) as rejected:
        get(web.url("/gone.jpg?signature=secret"))
    assert "/gone.jpg" in str(rejected.value)
    assert "secret" not in str(rejected.value)


def test_redirects_are_followed_so_far(web: Web) -> None:
    web.serve("/image", b"image")
    web.serve("/one", b"moved", 301, Location="/image")
    web.serve("/loop", b"", 302, Location="/loop")
    assert get(web.url("/one")) == b"image"
    with pytest.raises(FetchRejected, match="redirects more than 3 times"):
        get(web.url("/loop"), max_redirects=3)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_not_asked_for_again(web: Web, status: int) -> None:
    url = web.serve("/a", b"", status)
    with pytest.raises(FetchRejected) as rejected:
        get(url, attempts=3)
    assert not rejected.value.transient
    assert len(web.hits) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_server_is_asked_again(web: Web, status: int) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        good = len(web.hits) == 3
        handler.send_response(200 if good else status)
        handler.send_header("Content-Length", "2")
        handler.send_header("Retry-After", "0")
        handler.end_headers()
        handler.wfile.write(b"ok")

    web.routes["/a"] = answer
    assert get(web.url("/a"), attempts=3) == b"ok"
    web.hits.clear()
    with pytest.raises(FetchUnavailable) as failed:
        get(web.url("/a"), attempts=2)
    assert failed.value.transient


def test_a_wait_beyond_the_deadline_is_not_waited_for(web: Web) -> None:
    url = web.serve("/a", b"", 503, Retry_After="3600")
    with pytest.raises(FetchUnavailable):
        get(url, attempts=3, max_pause=60)
    assert len(web.hits) == 1


def test_a_closed_port_and_a_missing_name_are_told_apart() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(FetchUnavailable):
            get(f"http://127.0.0.1:{unused.getsockname()[1]}/a")

    def nobody(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with Fetcher(OPEN, resolver=nobody) as fetcher, pytest.raises(FetchRejected, match=r"no-such\.example"):
        fetcher.fetch("http://no-such.example/a")


def _endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")


def test_an_endless_body_ends_at_the_limit(web: Web) -> None:
    web.routes["/endless"] = _endless
    with pytest.raises(SourceTooLarge, match="100000 bytes"):
        get(web.url("/endless"))


def test_the_endless_body_of_a_redirect_is_not_read(web: Web) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/image")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while True:
            handler.wfile.write(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")

    web.routes["/hop"] = answer
    web.serve("/image", b"image")
    assert get(web.url("/hop")) == b"image"


def test_a_content_length_that_lies_is_not_trusted(web: Web) -> None:
    short = web.serve("/short", b"x" * 10, Content_Length="5")
    assert get(short) == b"x" * 5
    long = web.serve("/long", b"x" * 10, Content_Length="20", Connection="close")
    with pytest.raises(FetchUnavailable):
        get(long)


def test_a_gzip_bomb_ends_at_the_limit(web: Web) -> None:
    url = web.serve("/bomb", gzip.compress(bytes(200_000_000), 9), Content_Encoding="gzip")
    with pytest.raises(SourceTooLarge):
        get(url, max_bytes=1_000_000)


def test_packed_bodies_are_unpacked_and_damage_is_seen(web: Web) -> None:
    packed = gzip.compress(b"image" * 100)
    assert get(web.serve("/good", packed, Content_Encoding="gzip")) == b"image" * 100
    with pytest.raises(FetchUnavailable):
        get(web.serve("/cut", packed[:-12], Content_Encoding="gzip"))
    with pytest.raises(FetchRejected):
        get(web.serve("/bad", b"no gzip at all", Content_Encoding="gzip"))
    with pytest.raises(FetchRejected, match="br"):
        get(web.serve("/br", b"what", Content_Encoding="br"))


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_drip_of_bytes_ends_with_the_deadline(web: Web, part: str) -> None:
    """Each byte comes in time for the limit on reading; only the limit on the whole can end this."""
    over = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        if part == "body":
            handler.wfile.write(b"Content-Length: 100000\r\n\r\n")
        while not over.wait(0.05):
            handler.wfile.write(b"x")

    web.routes["/drip"] = answer
    start = time.monotonic()
    try:
        with pytest.raises(FetchTimeout):
            get(web.url("/drip"), total_seconds=0.5, read_seconds=30)
    finally:
        over.set()
    assert time.monotonic() - start < 20


def test_a_host_meets_few_connections_at_a_time(web: Web) -> None:
    busy, most, lock = 0, 0, threading.Lock()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        time.sleep(0.02)
        with lock:
            busy -= 1
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    web.routes["/a"] = answer
    with Fetcher(OPEN) as fetcher:
        threads = [threading.Thread(target=fetcher.fetch, args=(web.url("/a"),)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(web.hits) == 12
    assert 1 <= most <= 2
