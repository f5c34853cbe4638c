"""From a crawl of a real site to findings by the pages that show them."""

from __future__ import annotations

import csv
import http.client
from pathlib import Path

import pytest
from warcio.capture_http import capture_http

import facsimile
from tests.support.pictures import encoded, photograph
from tests.support.scan_case import edited, noise
from tests.support.shell import Shell
from tests.support.web_server import Web

pytestmark = pytest.mark.slow


def crawl(web: Web, paths: list[str], path: Path) -> None:
    """Fetch these paths, and write what was said to a WARC file, as a crawler does."""
    with capture_http(str(path)):
        for each in paths:
            connection = http.client.HTTPConnection("127.0.0.1", web.port)
            connection.request("GET", each)
            connection.getresponse().read()
            connection.close()


def test_a_crawl_becomes_findings_with_pages(web: Web, tmp_path: Path) -> None:
    web.serve("/cat.jpg", edited("chelsea.png"), Content_Type="image/jpeg")
    web.serve("/noise.jpg", noise(1), Content_Type="image/jpeg")
    for path, title in (("/shop", "A shop"), ("/blog", "A blog")):
        page = f'<title>{title}</title><img src="/cat.jpg" alt="on {title}"><img src="/noise.jpg">'
        web.serve(path, page.encode(), Content_Type="text/html")
    crawled = tmp_path / "crawl.warc.gz"
    crawl(web, ["/cat.jpg", "/shop", "/noise.jpg", "/blog", "/missing.jpg"], crawled)
    works = tmp_path / "works"
    works.mkdir()
    (works / "cat.png").write_bytes(encoded(photograph("chelsea.png")))

    shell = Shell(tmp_path, str(tmp_path / "index"))
    shell.json("ingest", works, "--collection", "works")
    first = shell.json("ingest", crawled, "--collection", "crawl")
    second = shell.json("ingest", crawled, "--collection", "crawl")
    assert (first["added"], second["unchanged"]) == (2, 2)
    report = tmp_path / "report"
    shell.json("scan", "--catalogue", "works", "--suspects-collection", "crawl", "--report", report)
    with (report / "findings.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["pages"].split("\n") == [web.url("/shop"), web.url("/blog")]
    with facsimile.open(shell.index) as index:
        (finding,) = index.findings()
        assert finding.sites == ("127.0.0.1",)
        assert [(page.url, page.title, page.text) for page in finding.suspect.pages] == [
            (web.url("/shop"), "A shop", "on A shop"),
            (web.url("/blog"), "A blog", "on A blog"),
        ]
        found = index.images(filter={"page": web.url("/blog")}, collections="crawl")
        assert {each.source for each in found} == {web.url("/cat.jpg"), web.url("/noise.jpg")}

    shell.json("allow", "add", "--source", web.url("/shop"))
    assert len(shell("findings", "--json").lines) == 1  # the blog is not allowed
    shell.json("allow", "add", "--source", web.url("/blog"))
    assert shell("findings", "--json").lines == []
