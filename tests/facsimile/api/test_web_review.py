"""Findings reviewed as people do it, in a real browser, mostly by keys alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import facsimile
from facsimile.imaging.decode import Limits
from facsimile.imaging.record import Key
from facsimile.ingest.item import Item
from facsimile.ingest.loader import Loader
from facsimile.ingest.pipeline import process
from facsimile.search.index.state.base import EntryFilter, Ref
from facsimile.workers.ledger.jobs import Jobs
from facsimile.workers.scanning.allowances import Allowances
from facsimile.workers.scanning.findings import KIND
from facsimile.workers.scanning.scans import Scan, Scans
from tests.facsimile.api.test_web import EVIL
from tests.support.api_server import Running
from tests.support.browser import Open, Page
from tests.support.pictures import encoded, photograph
from tests.support.scan_case import edited

SUSPECTS = [
    ("https://pirate.example/evil.jpg", EVIL, "chelsea.png", "border"),
    ("https://pirate.example/small.jpg", "", "chelsea.png", "quarter size"),
    ("https://other.example/gray.jpg", "", "coffee.png", "gray"),
    ("https://other.example/text.jpg", "A caption", "rocket.jpg", "text"),
    ("javascript:alert(1)", "", "astronaut.png", "darker"),
]
STATUS = "document.querySelector('#review-status').textContent"
TITLE = "document.querySelector('#finding-title').textContent"


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index with five findings, four works and their suspects."""
    folder = tmp_path_factory.mktemp("scanned")
    works = [
        Item(f"https://artist.example/{name}", id=name, collection="works", data=encoded(photograph(name)))
        for name in ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
    ]
    suspects = [
        Item(source, id=f"s/{place}", collection="crawl", title=title, data=edited(name, edit))
        for place, (source, title, name, edit) in enumerate(SUSPECTS)
    ]
    with (
        facsimile.open(
            str(folder / "index"), settings=facsimile.Settings(model="none", processes=1)
        ) as index,
        Loader() as loader,
    ):
        process(works + suspects, index=index.index, loader=loader, limits=Limits())
        index.index.refresh()
        assert index.scan(catalogue="works", suspects_collection="crawl").new == 5
    return folder / "index"


@pytest.fixture
def api(start: Callable[..., Running], scanned: Path) -> Running:
    """A server over that index, with nothing decided."""
    running = start(str(scanned), policy="off")
    state = running.service.index.state
    entries = sorted(state.all(EntryFilter(kind=KIND)), key=lambda entry: entry.body["suspect"]["id"])
    state.put(
        [
            replace(
                entry,
                terms={**entry.terms, "state": ("open",)},
                numbers={**entry.numbers, "found": place},
                body={**entry.body, "history": []},
            )
            for place, entry in enumerate(entries)
        ]
    )
    state.refresh()
    return running


def findings(api: Running) -> list[dict[str, Any]]:
    """All of them, in the order in which they were found."""
    found = api.http.get("/v1/scans/works/findings").json()["findings"]
    return sorted(found, key=lambda each: str(each["found"]))


def at(page: Page, place: int) -> None:
    """Wait until the finding at this place, from 1, is shown."""
    shown = "document.querySelectorAll('#finding img, #finding .gone').length === 2"
    page.until(f"{STATUS}.includes('{place}: ') && {shown}")


def begun(api: Running, visit: Open, **options: Any) -> Page:
    page = visit(f"{api.url}/#review", **options)
    at(page, 1)
    return page


def test_five_findings_are_reviewed_by_keys_alone(api: Running, visit: Open) -> None:
    page = visit(api.url)
    page.until("!document.querySelector('nav [href=\"#review\"]').hidden")
    for _ in range(10):
        page.press("Tab")
        if page.run("document.activeElement.textContent") == "Review":
            break
    page.press("Enter")
    at(page, 1)
    for place, key in enumerate("cdlc", start=1):
        page.press(key)
        at(page, place + 1)
    page.press("l")
    page.until(f"{STATUS}.includes('That was the last one')")
    page.press("ArrowLeft")
    at(page, 4)
    page.press("o")
    at(page, 5)
    states = ["confirmed", "dismissed", "licensed", "open", "licensed"]
    assert [each["state"] for each in findings(api)] == states
    assert page.text("#review-states").split("\n")[:1] == ["All 5"]
    assert "Licensed 2" in page.text("#review-states")
    assert "licensed" in page.text("#finding-title")


def test_what_was_decided_can_be_undone_step_by_step(api: Running, visit: Open) -> None:
    page = begun(api, visit)
    page.press("c")
    at(page, 2)
    page.press("d")
    at(page, 3)
    page.press("u")
    page.until(f"{STATUS}.startsWith('Undone. 2: ')")
    page.press("u")
    page.until(f"{STATUS}.startsWith('Undone. 1: ')")
    assert [each["state"] for each in findings(api)] == ["open"] * 5
    assert [each["state"] for each in findings(api)[0]["history"]] == ["confirmed", "open"]
    page.press("u")
    page.until("!document.querySelector('#error').hidden")
    assert page.text("#error") == "Nothing to undo."


def test_a_finding_is_shown_with_pictures_areas_figures_and_evidence(api: Running, visit: Open) -> None:
    page = begun(api, visit)
    page.until(
        "(() => { const seen = [...document.querySelectorAll('#finding img')];"
        " return seen.length === 2 && seen.every((image) => image.naturalWidth) })()"
    )
    assert page.run("document.querySelectorAll('#finding .area').length") == 2
    told = page.text("#finding")
    first = findings(api)[0]
    assert "Copy" in page.text("#finding-title")
    assert f"{first['hamming']} of 256 bits differ" in told
    assert first["suspect"]["sha256"] not in told
    page.click("#finding summary")
    evidence = page.text("#finding details")
    assert first["evidence"]["suspect_sha256"] in evidence
    assert first["evidence"]["work_sha256"] in evidence
    assert first["evidence"]["first_seen"][:19].replace("T", " ") + " UTC" in evidence
    assert first["evidence"]["run"] in evidence
    page.press("j")
    at(page, 2)
    page.until("document.querySelector('#finding details').open")


def test_names_and_addresses_stay_text(api: Running, visit: Open) -> None:
    page = begun(api, visit)
    seen, links = "", []
    for place in range(1, 6):
        at(page, place)
        seen += page.text("#finding")
        links += page.run("[...document.querySelectorAll('#finding a')].map((one) => one.protocol)")
        page.press("j")
    assert EVIL in seen
    assert "javascript:alert(1)" in seen
    assert set(links) == {"https:"}
    assert page.run("document.querySelectorAll('img[onerror]').length") == 0
    assert page.run("document.title") == "Review · Facsimile"


def test_state_site_and_work_narrow_what_is_reviewed(api: Running, visit: Open) -> None:
    page = begun(api, visit)
    page.press("c")
    at(page, 2)
    page.click("#review-states button:nth-child(3)")
    page.until("document.querySelector('#review-place').textContent === '1 of 1'")
    assert "confirmed" in page.text("#finding-title")
    page.click("#review-states button:nth-child(1)")
    page.until("document.querySelector('#review-place').textContent === '1 of 5'")
    page.fill("#review-site", "other.example")
    page.press("Enter")
    page.until("document.querySelector('#review-place').textContent === '1 of 2'")
    assert page.run("document.activeElement.id") == "finding", "the keys are at hand at once"
    page.click("#finding .only button:last-child")
    page.until("document.querySelector('#review-place').textContent === '1 of 1'")
    assert page.run("document.querySelector('#review-work').value").startswith("works/")
    page.fill("#review-site", "nobody.example")
    page.press("Enter")
    page.until(f"{STATUS} === 'Finding not found.'")
    assert not page.run("document.querySelector('#finding').checkVisibility()")


def test_comments_go_with_decisions_under_the_name_that_is_kept(api: Running, visit: Open) -> None:
    page = begun(api, visit)
    page.fill("#review-reviewer", "Ada")
    page.fill("#review-comment", "cdlo")
    page.press("c")
    page.press("j")
    assert "1: " in page.run(STATUS), "letters are text while text is written"
    page.fill("#review-comment", EVIL)
    page.press("Escape")
    page.press("j")
    at(page, 2)
    assert page.run("document.querySelector('#review-comment').value") == ""
    page.press("k")
    at(page, 1)
    page.press("d")
    at(page, 2)
    (said,) = findings(api)[0]["history"]
    assert (said["state"], said["reviewer"], said["comment"]) == ("dismissed", "Ada", EVIL)
    page.press("k")
    at(page, 1)
    assert f"dismissed by Ada: {EVIL}" in page.text("#finding .history")
    page.fill("#review-comment", "Wrote to them")
    page.click("#comment-form button")
    page.until(f"{STATUS}.startsWith('Kept.')")
    assert findings(api)[0]["state"] == "dismissed"
    page.open(f"{api.url}/?again#review")
    at(page, 1)
    assert page.run("document.querySelector('#review-reviewer').value") == "Ada"


def test_pictures_that_are_gone_or_replaced_are_told(api: Running, visit: Open) -> None:
    first = findings(api)[0]
    index = api.service.index
    key = Key(first["suspect"]["collection"], first["suspect"]["id"])
    records = index.get([key], full=True)
    work = api.http.get(f"/v1/images/{first['work']['id']}?collection=works").json()
    assert work["sha256"] == first["work"]["sha256"]
    index.delete([key])
    index.refresh()
    try:
        page = begun(api, visit)
        page.until("document.querySelectorAll('#finding .gone').length")
        assert page.text("#finding .gone") == "No longer stored."
        assert page.until("document.querySelectorAll('#finding img').length") == 1
        written = index.put([replace(records[key], sha256="0" * 64)])
        assert [each.status for each in written] == ["added"], written
        index.refresh()
        page.click("#review-form button")
        page.until("document.querySelector('#finding .gone')?.textContent.startsWith('Another picture')")
    finally:
        index.put(list(records.values()))
        index.refresh()


def test_many_findings_come_part_by_part(api: Running, visit: Open) -> None:
    state = api.service.index.state
    one = next(iter(state.all(EntryFilter(kind=KIND))))
    many = [
        replace(one, id=f"copy-{place:03}", terms={**one.terms, "site": ("many.example",)}, version=None)
        for place in range(120)
    ]
    state.put(many)
    try:
        state.refresh()
        page = visit(f"{api.url}/#review")
        at(page, 1)
        page.fill("#review-site", "many.example")
        page.press("Enter")
        page.until("document.activeElement.id === 'finding'")
        assert page.text("#review-place") == "1 of 50+"
        for place in range(1, 120):
            page.press("ArrowRight")
            page.until(f"document.querySelector('#review-place').textContent.startsWith('{place + 1} of')")
        assert page.text("#review-place") == "120 of 120"
        page.press("c")
        page.until(f"{STATUS}.includes('last one')")
        assert api.http.get("/v1/scans/works/findings?state=confirmed").json()["findings"][0]["scan"]
    finally:
        state.delete([each.ref for each in many])
        state.refresh()


def test_a_key_decides_in_its_name_and_errors_are_one_sentence(
    start: Callable[..., Running], scanned: Path, visit: Open
) -> None:
    api = start(str(scanned), keys=True)
    for scopes, refused in ((("read",), True), (("read", "write"), False)):
        text = api.key(*scopes)["Authorization"].removeprefix("Bearer ")
        page = visit(f"{api.url}/#review")
        page.until("document.querySelector('#key-dialog').open")
        page.fill("#key", text)
        page.click("#key-form button.main")
        page.until("document.querySelector('#review-place').textContent.startsWith('1 of')")
        page.until("document.querySelector('#finding img')?.naturalWidth")
        page.press("c")
        if refused:
            page.until("!document.querySelector('#error').hidden")
            assert page.text("#error").count(".") == 1
            assert "1: " in page.run(STATUS)
        else:
            page.until(f"{STATUS}.startsWith('Confirmed: ')")
            page.press("k")
            page.until("document.querySelector('.history')?.textContent.includes('by key ')")


def test_the_newest_scan_with_open_findings_is_opened_and_counts_leave_out_what_is_allowed(
    api: Running, visit: Open
) -> None:
    state = api.service.index.state
    scans = [
        Scan(name=name, catalogue="works", suspects=f"crawl-{name}", created=created, begun=created)
        for name, created in (("a-first", 1), ("z-last", 2**42))
    ]
    for each in scans:
        Scans(state).save(each)
    allowed = Allowances(state).add({"site": "pirate.example"})
    state.refresh()
    try:
        page = begun(api, visit)
        assert page.run("document.querySelector('#review-scan').value") == "works"
        assert page.text("#review-place") == "1 of 3"
        assert page.text("#review-states").split("\n") == [
            "All 3",
            "Open 3",
            "Confirmed 0",
            "Dismissed 0",
            "Licensed 0",
        ]
        assert (
            page.run("document.querySelector('#review-states [aria-pressed=true]').textContent") == "Open 3"
        )
        page.press("d")
        at(page, 2)
        assert "Dismissed 1" in page.text("#review-states")
        page.click("#review-states button:nth-child(1)")
        page.until("document.querySelector('#review-place').textContent === '1 of 3'")
        assert "open" in page.text("#finding-title"), "decided ones come last"
        page.press("ArrowRight")
        at(page, 2)
        page.press("ArrowRight")
        at(page, 3)
        assert "dismissed" in page.text("#finding-title")
    finally:
        state.delete([Ref("scan", each.name) for each in scans])
        Allowances(state).remove([allowed.id])
        state.refresh()


def test_a_page_without_scans_has_no_word_of_them(start: Callable[..., Running], visit: Open) -> None:
    page = visit(f"{start().url}/#review")
    page.until(f"{STATUS} === 'No scans yet.'")
    assert page.run("document.querySelector('nav [href=\"#review\"]').hidden")
    assert not page.run("document.querySelector('#review-form').checkVisibility()")


def test_jobs_tell_which_scan_they_are_for(api: Running, visit: Open) -> None:
    state = api.service.index.state
    job = Jobs(state).start(collections=("works", "crawl"))
    (entry,) = state.all(EntryFilter(kind="scan"))
    (held,) = state.put(
        [
            replace(
                entry,
                terms={**entry.terms, "phase": ("comparing",)},
                body={**entry.body, "job": job},
            )
        ]
    )
    state.refresh()
    try:
        page = visit(f"{api.url}/#jobs")
        page.until("document.querySelector('#jobs-list').textContent.includes('scan works, comparing')")
    finally:
        state.put([replace(entry, version=held.version if held else None)])
