"""Redirects and addresses of every kind: each ends as the error of its own image, and never of another."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from facsimile.imaging.errors import FacsimileError
from facsimile.ingest.errors import FetchRejected, SourceError, SourceNotAllowed
from facsimile.ingest.fetch import Fetcher
from facsimile.ingest.fetch_limits import FetchLimits
from facsimile.ingest.item import Item
from facsimile.ingest.loader import Loader
from tests.support.pictures import synthetic
from tests.support.web_server import Web

OPEN = FetchLimits(allow_private=True, max_bytes=100_000, total_seconds=2, connect_seconds=0.5, attempts=1)

NOWHERE = [
    *(
        "mailto:a@example.org",
        "data:image/png;base64,AAAA",
        "about:blank",
        "javascript:1",
        "x:y",
        "blob:x",
        "//",
    ),
    *("http://[", "http://[::1", "http://a:b:c/", "http://\x01/", "http://", "http:///a", "https:", "http:a"),
    *(
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://example.org:99999999999/",
        "http://x:-1/",
    ),
    *(
        "http://" + "a" * 64 + ".example/",
        "http://a" + "." * 300 + "b/",
        "http://xn--\u00e4/",
        "http://xn--a/",
    ),
    *(
        "http://" + "a" * 66_000,
        "http://a..b/",
        "http://.a/",
        "http://%00/",
        "http://a%00b/",
        "http://u:p@a/",
    ),
    *("file:///etc/passwd", "ftp://example.org/a", "gopher://x/", "HTTP://"),
]


def redirect(web: Web, location: bytes, status: int = 302) -> str:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(
            b"HTTP/1.1 %d Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % (status, location)
        )

    web.routes["/hop"] = answer
    return web.url("/hop")


@pytest.mark.parametrize("location", NOWHERE, ids=lambda location: location[:30])
def test_a_redirect_to_nowhere_is_the_error_of_its_image_alone(web: Web, location: str) -> None:
    good = web.serve("/good.jpg", synthetic(1))
    bad = redirect(web, location.encode())
    with Loader(OPEN) as loader:
        refused, loaded = loader.load([Item(bad), Item(good)])
    assert isinstance(refused, SourceNotAllowed | FetchRejected)
    assert not refused.transient
    assert "/hop" in str(refused) or "host" in str(refused) or "name" in str(refused)
    assert len(str(refused)) < 1000
    assert loaded == synthetic(1)


@pytest.mark.parametrize("url", ["http://" + each if ":" not in each else each for each in NOWHERE])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with Fetcher(OPEN) as fetcher, pytest.raises((SourceNotAllowed, FetchRejected)) as refused:
        fetcher.fetch(url)
    assert not refused.value.transient


def test_an_answer_with_a_head_too_long_is_rejected_for_good(web: Web) -> None:
    url = redirect(web, b"http://example.org/" + b"a" * 200_000)
    with Fetcher(OPEN) as fetcher, pytest.raises(FetchRejected, match="malformed"):
        fetcher.fetch(url)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_relative_redirects_are_followed(web: Web, status: int) -> None:
    web.serve("/deep/a b.jpg", b"image")
    web.serve("/deep/a%20b.jpg", b"image")
    with Fetcher(OPEN) as fetcher:
        for location in (
            b"/deep/a%20b.jpg",
            b"deep/./a b.jpg",
            b" //127.0.0.1:%d/deep/a%%20b.jpg" % web.port,
        ):
            assert fetcher.fetch(redirect(web, location, status)) == b"image"


def test_a_cookie_of_one_answer_is_sent_with_the_next(web: Web) -> None:
    def hop(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Set-Cookie", "a=b")
        handler.send_header("Location", "/image")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    cookies: list[str | None] = []

    def image(handler: BaseHTTPRequestHandler) -> None:
        cookies.append(handler.headers["Cookie"])
        handler.send_response(200)
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    web.routes |= {"/hop": hop, "/image": image}
    with Fetcher(OPEN) as fetcher:
        fetcher.fetch(web.url("/hop"))
        fetcher.fetch(web.url("/image"))
    assert cookies == ["a=b", None]


#: no name is looked up, and no address beside this machine's is connected to
SCHEMES = st.sampled_from(
    ["", "http://", "https://", "HTTP:", "//", "data:", "mailto:", "file://", "\t", "http://["]
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SCHEMES, st.text(max_size=60))
@example("http://", "\ud800")
@example("http://", "127.0.0.1:00000000000000000000080/")
def test_no_location_ends_with_an_error_of_another_kind(web: Web, scheme: str, rest: str) -> None:
    location = (scheme + rest).encode("utf-8", "surrogatepass").translate(None, b"\r\n")
    with Fetcher(OPEN, resolver=_here) as fetcher, Loader(OPEN) as loader:
        try:
            fetcher.fetch(redirect(web, location))
        except SourceError as error:
            assert str(error)
        (answer,) = loader.load([Item("http://[")])
        assert isinstance(answer, FacsimileError)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(SCHEMES, st.text(max_size=60))
@example("http://", "\ud800")
def test_no_address_ends_with_an_error_of_another_kind(scheme: str, rest: str) -> None:
    with Fetcher(OPEN, resolver=_here) as fetcher, pytest.raises(SourceError):
        fetcher.fetch(scheme + rest)


def _here(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def test_any_fault_in_loading_is_the_error_of_its_item(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault is made: what raises it in earnest is mended as soon as it is known."""

    def broken(*_: object) -> None:
        raise RuntimeError("odd")

    good = web.serve("/good.jpg", synthetic(1))
    monkeypatch.setattr("facsimile.ingest.storage.read", broken)
    with Loader(OPEN) as loader:
        bad, loaded = loader.load([Item("memory://a.jpg"), Item(good)])
        monkeypatch.setattr("facsimile.ingest.fetch._body", broken)
        (third,) = loader.load([Item(good)])
    assert isinstance(bad, SourceError)
    assert "memory://a.jpg" in str(bad)
    assert "RuntimeError: odd" in str(bad)
    assert isinstance(third, SourceError)
    assert loaded == synthetic(1)
