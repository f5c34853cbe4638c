"""The allow-list: which findings a line covers, what it may say, and the counts beside it."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import pytest

import facsimile
from facsimile.imaging.decode import Limits
from facsimile.ingest.item import Item
from facsimile.ingest.loader import Loader
from facsimile.ingest.pipeline import process
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.state.base import Entry
from facsimile.workers.errors import ScanNotFound
from facsimile.workers.ledger.chunks import now
from facsimile.workers.scanning.hosts import parse_site
from tests.support.pictures import encoded, photograph
from tests.support.scan_case import Case, edited
from tests.support.shell import Shell

pytestmark = pytest.mark.slow


WORKS = ("chelsea.png", "coffee.png")
PLACES = ("https://partner.example/a.jpg", "https://shop.other.example:8080/b.jpg")


@pytest.fixture(params=["embedded", "elastic"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    """Two works, each shown by a suspect on each of two sites."""
    location = str(tmp_path / "index")
    if request.param == "elastic":
        location = f"{request.getfixturevalue('elasticsearch_url')}/allow-{uuid4().hex}"
    case = Case(tmp_path, location)
    works = [
        Item(f"https://artist.example/{name}", id=name, collection="works", data=encoded(photograph(name)))
        for name in WORKS
    ]
    suspects = [
        Item(f"{place}?{name}", id=f"{number}/{name}", collection="crawl", data=edited(name, edit))
        for name in WORKS
        for number, (place, edit) in enumerate(zip(PLACES, ("gray", "jpeg q30"), strict=True))
    ]
    with case.open() as index, Loader() as loader:
        process(works + suspects, index=index.index, loader=loader, limits=Limits())
        index.index.refresh()
        assert index.scan(catalogue="works", suspects_collection="crawl").new == 4
    return case


def reported(index: facsimile.Facsimile) -> set[str]:
    """The suspects of the findings that are not allowed."""
    scanning = index.scanning
    return {each.suspect["id"] for each in scanning.allowances.reported(scanning.findings.all())}


ALL = {"0/chelsea.png", "1/chelsea.png", "0/coffee.png", "1/coffee.png"}


@pytest.mark.parametrize(
    ("where", "allowed"),
    [
        ({"site": "partner.example", "work": "chelsea.png"}, {"0/chelsea.png"}),
        ({"site": "other.example", "work": "works/coffee.png"}, {"1/coffee.png"}),
        ({"site": "partner.example"}, {"0/chelsea.png", "0/coffee.png"}),
        ({"site": "https://PARTNER.example/"}, {"0/chelsea.png", "0/coffee.png"}),
        ({"work": "chelsea.png"}, {"0/chelsea.png", "1/chelsea.png"}),
        ({"suspect": "crawl/1/coffee.png", "work": "coffee.png"}, {"1/coffee.png"}),
        ({"suspect": "1/coffee.png", "work": "chelsea.png"}, set()),
        (
            {"source": "https://shop.other.example:8080/* ", "collection": "crawl"},
            {"1/chelsea.png", "1/coffee.png"},
        ),
    ],
)
def test_a_line_allows_what_meets_all_of_its_conditions(
    case: Case, where: dict[str, str], allowed: set[str]
) -> None:
    with case.open() as index:
        added = index.scanning.allow(where)
        assert reported(index) == ALL - allowed
        assert sum(index.scanning.allowances.states("works").values()) == 4 - len(allowed)
        assert index.scanning.allow(where).id == added.id
        assert [each.id for each in index.scanning.allowances.all()] == [added.id]
        index.scanning.allowances.remove([added.id])
        assert reported(index) == ALL


def test_what_no_finding_can_meet_is_refused_in_a_sentence(case: Case) -> None:
    with case.open() as index:
        for where, told in (
            ({"work": "chelsea"}, "there is no work chelsea in"),
            ({"suspect": "chelsea.png-1"}, "there is no suspect chelsea.png-1 in"),
            ({"collection": "crowl"}, "there is no collection crowl in"),
            ({"site": "partner.example", "work": "nothing"}, "there is no work nothing in"),
            ({"site": "partner.example/shop"}, "use a source such as https://partner.example/shop/*"),
            ({"source": "http*://*"}, "would allow everything"),
            ({}, "give a condition"),
            ({"luck": "x"}, "unknown condition 'luck'"),
        ):
            with pytest.raises(InvalidRequest, match=re.escape(told)):
                index.scanning.allow(where)
        with pytest.raises(InvalidRequest, match=r"no work 0/coffee\.png in the collection works"):
            index.scanning.allow({"work": "0/coffee.png"}, scan="works")
        with pytest.raises(ScanNotFound):
            index.scanning.allow({"site": "partner.example"}, scan="work")
        assert list(index.scanning.allowances.all()) == []
        assert reported(index) == ALL
        index.remove("chelsea.png", collection="works")
        index.scanning.allow({"work": "chelsea.png"}, scan="works")  # its findings are still there
        assert reported(index) == {"0/coffee.png", "1/coffee.png"}


def test_lines_of_earlier_versions_still_count(case: Case) -> None:
    old = {"by": "site", "pattern": "PARTNER.example.", "scan": "", "note": "licence"}
    with case.open() as index:
        index.index.state.put([Entry(kind="allowance", id="3b4140836e77", numbers={"at": now()}, body=old)])
        assert reported(index) == {"1/chelsea.png", "1/coffee.png"}
        (line,) = index.scanning.allowances.all()
        assert (line.as_json()["by"], line.as_json()["where"]) == ("site", {"site": "PARTNER.example."})
        assert index.scanning.allowances.remove(["3b4140836e77"]) == 1


def test_counts_and_lists_leave_out_what_is_allowed_and_open_findings_come_first(case: Case) -> None:
    with case.open() as index:
        first = next(index.scanning.findings.all())
        index.scanning.findings.review(first.id, state="dismissed")
        states = [each.state.value for each in index.scanning.findings.all()]
        assert states == ["open", "open", "open", "dismissed"]
        paged: list[str] = []
        cursor = None
        while True:
            page, cursor = index.scanning.findings.page(scan="works", limit=1, cursor=cursor)
            paged += [each.id for each in page]
            if cursor is None:
                break
        assert paged == [each.id for each in index.scanning.findings.all()]
        for faulty in ("7:", "x", "0:x", "-1:"):
            with pytest.raises(InvalidRequest, match="not a cursor"):
                index.scanning.findings.page(scan="works", limit=1, cursor=faulty)
        index.scanning.allow({"suspect": first.suspect["id"]}, scan="works")
        assert index.scanning.allowances.states("works") == {"open": 3}
        shell = Shell(case.works.parent, case.location)
        assert shell.json("scans")["findings"] == {"open": 3}
        assert len(shell("findings", "--json").lines) == 3


def test_the_command_makes_one_line_of_several_options(case: Case) -> None:
    shell = Shell(case.works.parent, case.location)
    done = shell("allow", "add", "--site", "partner.example", "--work", "coffee.png", "--note", "licence")
    assert (done.code, "site partner.example, work coffee.png is allowed" in done.out + done.err) == (0, True)
    listed = shell.json("allow", "list")
    assert listed["where"] == {"site": "partner.example", "work": "coffee.png"}
    assert (listed["by"], listed["pattern"]) == (None, None)
    assert len(shell("findings", "--json").lines) == 3
    refused = shell("allow", "add", "--work", "cofee.png")
    assert refused.code == 2 and "there is no work cofee.png" in refused.complaint


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("partner.example", "partner.example"),
        (" Partner.Example. ", "partner.example"),
        ("https://partner.example/", "partner.example"),
        ("http://partner.example:80", "partner.example"),
        ("*.partner.example", "partner.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("BÜCHER。example", "xn--bcher-kva.example"),
        ("[2001:DB8:0::1]", "2001:db8::1"),
        ("192.0.2.7", "192.0.2.7"),
        ("my_shop.example", "my_shop.example"),
    ],
)
def test_hosts_are_brought_into_one_form(text: str, host: str) -> None:
    assert parse_site(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "partner.example:8080",
        "https://partner.example:8443/",
        "partner.example/shop",
        "https://partner.example/?q=1",
        "ada@partner.example",
        "partner example",
        "partner..example",
        "-partner.example",
        "part*.example",
        "*",
        " ",
        "https://",
        "http://[::1",
        "partner.example:port",
        "a" * 64 + ".example",
        "a." * 130 + "example",
    ],
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_site(text)
