"""Web crawls: images with the pages that show them, from whole, damaged and hostile WARC files."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from facsimile.imaging.record import WebPage
from facsimile.ingest.errors import ArchiveError, SourceNotFound, SourceTooLarge
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.loader import Loader
from facsimile.ingest.message import format_item, item_of
from facsimile.ingest.sources import items
from tests.support.pictures import encoded, photograph

DATE = "2026-03-01T12:00:00Z"
SEEN = datetime(2026, 3, 1, 12, tzinfo=UTC)

CAT = encoded(photograph("chelsea.png", 120))
CUP = encoded(photograph("coffee.png", 120))

PAGE = b"""<title> Cats &amp; cups </title><base href="/shop/">
<figure><img src="cat.png#top" alt="not this"><figcaption>A <b>cat</b></figcaption></figure>
<img srcset="cup.png?w=1 1x, cup.png?w=2 2x" alt="a cup">"""

Answer = tuple[str, bytes, str]


def warc(answers: Sequence[Answer], *, gz: bool = True, headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """A WARC file of these answers: address, body, content type."""
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=gz)
    for url, body, kind in answers:
        served = StatusAndHeaders("200 OK", [("Content-Type", kind), *headers], protocol="HTTP/1.1")
        about = {"WARC-Date": DATE}
        record = writer.create_warc_record(
            url, "response", payload=io.BytesIO(body), http_headers=served, warc_headers_dict=about
        )
        writer.write_record(record)
        record.raw_stream.close()
    return out.getvalue()


SHOP: list[Answer] = [
    ("https://shop.example/shop/cat.png", CAT, "image/png"),
    ("https://shop.example/", PAGE, "text/html; charset=utf-8"),
    ("https://shop.example/shop/cup.png?w=2", CUP, "application/octet-stream"),
    ("https://shop.example/style.css", b"body {}", "text/css"),
    ("https://shop.example/logo.svg", b"<svg/>", "image/svg+xml"),
    ("https://other.example/a", b"<img src=http://shop.example/shop/cat.png>", "text/html"),
]


def read(path: Path, content: bytes) -> tuple[list[Item], list[str]]:
    path.write_bytes(content)
    found = list(items(str(path), collection="crawl"))
    good = [each for each in found if isinstance(each, Item)]
    return good, [each.reason for each in found if isinstance(each, Outcome)]


@pytest.mark.parametrize("name", ["crawl.warc", "crawl.warc.gz"])
def test_images_come_with_their_bytes_and_the_pages_that_show_them(tmp_path: Path, name: str) -> None:
    good, bad = read(tmp_path / name, warc(SHOP, gz=name.endswith(".gz")))
    shop: dict[str, Any] = {"url": "https://shop.example/", "title": "Cats & cups", "seen_at": SEEN}
    assert bad == []
    assert [(item.source, item.data, item.collection) for item in good] == [
        ("https://shop.example/shop/cat.png", CAT, "crawl"),
        ("https://shop.example/shop/cup.png?w=2", CUP, "crawl"),
    ]
    assert [item.pages for item in good] == [
        (WebPage(text="A cat", **shop), WebPage(url="https://other.example/a", seen_at=SEEN)),
        (WebPage(text="a cup", **shop),),
    ]
    assert good[0].metadata["crawl"]["file"] == str(tmp_path / name)
    assert good[0].metadata["crawl"]["record"].startswith("<urn:uuid:")
    assert good[0].metadata["crawl"]["seen_at"] == SEEN.isoformat()


@pytest.mark.parametrize("name", ["crawl.warc", "crawl.warc.gz"])
def test_a_worker_reads_the_bytes_in_the_crawl_and_not_at_the_address(tmp_path: Path, name: str) -> None:
    good, _ = read(tmp_path / name, warc(SHOP, gz=name.endswith(".gz")))
    sent = [item_of(format_item(item.without_data())) for item in good]
    assert [item.source for item in sent] == [item.source for item in good]
    with Loader() as loader:
        assert loader.load(sent) == [CAT, CUP]
    with Loader(files=False) as loader:
        (refused,) = loader.load(sent[:1])
    assert "only http and https" in str(refused)


@pytest.mark.parametrize("place", ["5", "x", "", "99999999999"])
def test_a_place_without_a_record_is_a_clear_error(tmp_path: Path, place: str) -> None:
    path = tmp_path / "crawl.warc.gz"
    path.write_bytes(warc(SHOP))
    with Loader() as loader:
        (error,) = loader.load([Item("https://shop.example/x.png", location=f"{path}!/{place}")])
    assert isinstance(error, ArchiveError | SourceNotFound)
    assert "record at byte" in str(error)


def test_what_http_wrapped_is_unwrapped(tmp_path: Path) -> None:
    answers = [("https://a.example/cat.png", gzip.compress(CAT), "image/png")]
    good, bad = read(tmp_path / "a.warc.gz", warc(answers, headers=[("Content-Encoding", "gzip")]))
    assert ([item.data for item in good], bad) == ([CAT], [])


def test_damage_costs_the_records_that_it_hits(tmp_path: Path) -> None:
    parts = [warc([answer]) for answer in SHOP]
    parts[2] = parts[2][:60] + b"\0" * 40 + parts[2][100:]
    good, bad = read(tmp_path / "crawl.warc.gz", b"".join([*parts, warc(SHOP[:1])]))
    assert [item.source for item in good] == [SHOP[0][0], SHOP[0][0]]
    assert len(good[0].pages) == 2
    assert bad
    assert all("is damaged or cut short after byte" in reason for reason in bad)


def test_a_file_that_ends_in_a_record_says_so(tmp_path: Path) -> None:
    whole = warc(SHOP[:1], gz=False)
    good, bad = read(tmp_path / "cut.warc", whole[: len(whole) // 2])
    assert good == []
    assert bad == ["the file ends within the record of https://shop.example/shop/cat.png"]


def test_an_image_that_the_crawler_cut_short_is_named(tmp_path: Path) -> None:
    whole = warc(SHOP[:1], gz=False).replace(b"WARC-Date:", b"WARC-Truncated: length\r\nWARC-Date:")
    _, bad = read(tmp_path / "cut.warc", whole)
    assert bad == ["the crawl cut https://shop.example/shop/cat.png short (length)"]


def test_an_image_over_the_limit_is_named(tmp_path: Path) -> None:
    path = tmp_path / "crawl.warc.gz"
    path.write_bytes(warc(SHOP))
    found = [each for each in items(str(path), max_bytes=100) if isinstance(each, Outcome)]
    assert [each.error_type for each in found] == [SourceTooLarge] * 2


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", gzip.compress(b"hello"), b"WARC/1.0\r\n"])
def test_what_is_no_crawl_says_so(tmp_path: Path, content: bytes) -> None:
    good, bad = read(tmp_path / "crawl.warc.gz", content)
    assert good == []
    assert len(bad) == 1
    assert "crawl.warc.gz" in bad[0]


def test_a_page_with_many_links_and_one_nested_without_end_are_read_in_time(tmp_path: Path) -> None:
    many = b"".join(b"<img src=/%d.png>" % number for number in range(200_000))
    answers = [
        ("https://a.example/", many, "text/html"),
        ("https://b.example/", b"<div>" * 500_000 + b"<img src=https://a.example/1.png>", "text/html"),
        (
            "https://c.example/",
            b"\xff\xfe\0<img src=https://a.example/1.png\0>",
            "text/html; charset=no-such",
        ),
        ("https://a.example/1.png", CAT, "image/png"),
    ]
    good, bad = read(tmp_path / "crawl.warc.gz", warc(answers))
    assert bad == []
    assert [page.url for page in good[0].pages][:1] == ["https://a.example/"]


@pytest.mark.parametrize("gz", [True, False])
def test_no_damage_whatever_ends_in_another_error(tmp_path: Path, gz: bool) -> None:
    whole, rng = warc(SHOP, gz=gz), random.Random(1)
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 5)):
            at = rng.randrange(len(damaged))
            damaged[at : at + rng.choice([0, 1, 30])] = rng.choice([b"", b"\0", b"\r\n", rng.randbytes(9)])
        good, bad = read(tmp_path / "crawl.warc.gz", bytes(damaged))
        assert all(item.source.startswith("http") for item in good)
        assert all(bad)
