"""The report of a scan as its readers get it: page, table and lines."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsimile.workers.scanning.report.report import _data
from facsimile.workers.scanning.report.report_csv import cell
from tests.support.browser import Open
from tests.support.scan_case import FILLED, Case, edited
from tests.support.shell import Shell

pytestmark = pytest.mark.slow


#: a title that would be a script, a formula and the end of its element
HOSTILE = '=HYPERLINK("http://evil.example")</script><script>alert(1)</script><!--&\u2028'


class Page(HTMLParser):
    """The data of a page, and everything in it that would be fetched."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.data: dict[str, Any] = {}
        self.scripts: list[str] = []
        self.fetched: list[str] = []
        self._inside: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.fetched += [str(given[name]) for name in ("src", "href", "srcset") if name in given]
        if tag == "script":
            self._inside = given.get("id") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "script":
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.data[self._inside] = json.loads(data)
        elif self._inside == "":
            self.scripts.append(data)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The report of a scan among whose suspects one has a hostile title."""
    case = Case(tmp_path, str(tmp_path / "index"))
    case.fill(unrelated=2)
    listed = tmp_path / "suspects.jsonl"
    rows = [{"source": str(path)} for path in sorted(case.suspects.iterdir())]
    hostile = case.suspect("hostile.jpg", edited("coffee.png"))
    rows.append({"source": hostile, "title": HOSTILE, "id": "@SUM(1)"})
    listed.write_text("\n".join(map(json.dumps, rows)))
    shell = Shell(tmp_path, case.location)
    shell.json("ingest", case.works, "--collection", "works")
    folder = tmp_path / "report"
    shell.json("scan", listed, "--catalogue", "works", "--report", folder)
    return folder


def test_the_lines_hold_both_records(report: Path) -> None:
    lines = [json.loads(line) for line in (report / "findings.jsonl").read_text().splitlines()]
    pairs = {(Path(each["suspect"]["source"]).name, Path(each["work"]["source"]).name) for each in lines}
    assert pairs == FILLED | {("hostile.jpg", "coffee.png")}
    cats = [each for each in lines if each["work"]["source"].endswith("chelsea.png")]
    assert {each["verdict"] for each in lines} == {"copy"}
    assert {len(each["evidence"]["suspect_sha256"]) for each in lines} == {64}
    documented = (Path(__file__).parents[2] / "docs" / "scanning.md").read_text()
    for name in {*lines[0], *lines[0]["evidence"], *lines[0]["suspect"], *cats[0]["proof"]}:
        assert f"`{name}`" in documented, name


def test_the_table_holds_no_formula(report: Path) -> None:
    with (report / "findings.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    (hostile,) = (row for row in rows if row["suspect_source"].endswith("hostile.jpg"))
    assert hostile["suspect_id"] == "'@SUM(1)"
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


@given(st.text())
def test_no_text_is_taken_for_a_formula(text: str) -> None:
    assert not cell(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell(text).replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize("sign", [*"=+-@", *"＝＋－＠", "﹢", "−"])
@pytest.mark.parametrize(
    "before",
    ["", " ", "\ufeff", "\u00a0", "\u200b", "\x00", "\t", "\r\n", "a;", "a; ", "a;\ufeff", "a\t", "a\n"],
)
def test_no_part_of_a_text_is_taken_for_a_formula(before: str, sign: str) -> None:
    told = cell(f"{before}{sign}SUM(1)")
    for part in re.split(r"[;\t\r\n]", told):
        visible = re.sub(r"^[\s\ufeff\u200b\x00]+", "", part)
        assert not visible.startswith(tuple("=+-@＝＋－＠﹢−")), repr(told)
    assert cell("3;4 - a@b") == "3;4 - a@b"


def test_the_page_needs_nothing_else(report: Path) -> None:
    text = (report / "index.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.fetched == []
    assert len(page.scripts) == 1
    assert "default-src 'none'" in text
    summary, found = page.data["report"], page.data["findings-0"]
    assert len(summary["rows"]) == len(found) == 4
    assert all(each["picture"].startswith("data:image/jpeg;base64,") for each in found)
    assert all(picture.startswith("data:image/jpeg;base64,") for picture in page.data["works-0"])
    assert HOSTILE in {each["suspect"]["title"] for each in found}


@given(st.recursive(st.text() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_data_stays_within_its_element(value: Any) -> None:
    text = _data("it", value)
    assert re.findall("[<>&]", text.removeprefix('<script type="application/json" id="it">')) == ["<", ">"]
    assert Page(text).data["it"] == value


def test_a_browser_shows_and_prints_it(report: Path, visit: Open) -> None:
    page = visit((report / "index.html").as_uri() + "#all")
    page.until("document.querySelectorAll('main article').length === 4")
    assert page.run("document.querySelectorAll('main .area').length") == 8
    # what is not scrolled to is not rendered, so it is no part of the text that is shown
    assert "=HYPERLINK" in page.run("document.querySelector('main').textContent")
    assert page.text("#shown") == "4 of 4 findings"
    assert all(each.startswith(("file:", "data:")) for each in page.requested)
    assert len(re.findall(rb"/Type\s*/Page\b", page.print_pages())) == 4
