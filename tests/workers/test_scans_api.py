"""Scans and findings by HTTP, from a real server."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from facsimile.search.index.opening import open_index
from facsimile.settings import changed
from facsimile.workers.chunk_worker import WorkerDeps
from facsimile.workers.local_runner import work_off
from facsimile.workers.scanning.allowances import Allowances
from facsimile.workers.scanning.compare import HANDLERS
from facsimile.workers.scanning.scans import Phase, Scans
from facsimile.workers.scanning.scheduler import ScanScheduler, SchedulerDeps
from tests.support.api_server import Running
from tests.support.contract import keeps_to_its_document
from tests.support.pictures import photo_jpeg
from tests.support.scan_case import FILLED, Case


@pytest.fixture
def api(start: Callable[..., Running], tmp_path: Path) -> Running:
    """A server over an index with works and suspects, which asks for keys."""
    case = Case(tmp_path, str(tmp_path / "index"))
    case.fill(unrelated=2)
    with case.open() as index:
        case.bring_in(index, case.works, "works")
        case.bring_in(index, case.suspects, "crawl")
    return start(keys=True)


def carried_out(api: Running, tmp_path: Path) -> None:
    """What workers do, without a queue."""
    index = api.service.index
    deps = SchedulerDeps(
        publish=lambda chunks: None,
        waiting=lambda: 0,
        limit=10,
        max_bytes=10**7,
        rules=changed({"model": "none"}).scan_rules,
    )
    working = WorkerDeps(
        open_index=lambda: open_index(str(tmp_path / "index")),
        open_loader=lambda trusted: pytest.fail("nothing is read"),
        handlers=HANDLERS,
    )
    scans = Scans(index.state)
    for _ in range(10):
        ScanScheduler(index, deps).tick()
        (scan,) = scans.all()
        if scan.phase is Phase.IDLE:
            return
        work_off(scan.job, index.state, working)
    pytest.fail("the scan does not end")


BODY = {"catalogue": "works", "suspects": "crawl"}


def test_from_start_to_decision(api: Running, tmp_path: Path) -> None:
    admin = api.key("admin")
    begun = api.http.post("/v1/scans", json=BODY, headers=admin)
    assert (begun.status_code, begun.json()["scan"], begun.json()["findings"]) == (202, "works", {})
    assert begun.json()["phase"] == "waiting"  # no worker has seen it yet
    assert api.http.get("/v1/scans/works", headers=admin).json()["phase"] == "waiting"
    carried_out(api, tmp_path)
    jobs = api.http.get("/v1/jobs", headers=admin).json()["jobs"]
    assert [each["kind"] for each in jobs if each["accepted"]] == ["compare"]
    told = api.http.get("/v1/scans/works", headers=admin).json()
    assert (told["phase"], told["findings"], told["progress"]) == ("idle", {"open": 3}, None)
    assert [each["scan"] for each in api.http.get("/v1/scans", headers=admin).json()["scans"]] == ["works"]
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        part = api.http.get(
            "/v1/scans/works/findings", params={"limit": 2, "state": "open", **cursor}, headers=admin
        ).json()
        found += part["findings"]
        if part["cursor"] is None:
            break
        cursor = {"cursor": part["cursor"]}
    pairs = {(Path(f["suspect"]["source"]).name, Path(f["work"]["source"]).name) for f in found}
    assert pairs == FILLED
    place = f"/v1/findings/{found[0]['finding']}"
    decided = api.http.patch(place, json={"state": "licensed", "comment": "ours"}, headers=admin).json()
    assert (decided["state"], decided["history"][0]["comment"]) == ("licensed", "ours")
    assert decided["reviewer"].startswith("key ")
    again = api.http.post("/v1/scans", json=BODY, headers=admin)
    assert again.status_code == 202
    carried_out(api, tmp_path)
    told = api.http.get("/v1/scans/works", headers=admin).json()
    assert told["findings"] == {"licensed": 1, "open": 2}


def test_keys_see_scans_of_their_collections(api: Running, tmp_path: Path) -> None:
    api.http.post("/v1/scans", json=BODY, headers=api.key("admin"))
    carried_out(api, tmp_path)
    both = api.key("read", "write", collections=("works", "crawl"))
    one = api.key("read", "write", collections=("works",))
    listed = api.http.get("/v1/scans/works/findings", headers=both).json()["findings"]
    assert len(listed) == 3
    assert api.http.get("/v1/scans", headers=one).json() == {"scans": []}
    assert api.http.get("/v1/scans/works", headers=one).status_code == 404
    place = f"/v1/findings/{listed[0]['finding']}"
    assert api.http.patch(place, json={"state": "dismissed"}, headers=one).status_code == 404
    assert api.http.post("/v1/scans", json=BODY, headers=one).status_code == 422
    reader = api.key("read", collections=("works", "crawl"))
    assert api.http.patch(place, json={"state": "dismissed"}, headers=reader).status_code == 403


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({**BODY, "suspects": "nothing"}, "there is no collection nothing"),
        ({**BODY, "suspects": "works"}, "two collections"),
        ({**BODY, "name": "a/b"}, "is not a valid id"),
        ({**BODY, "sources": ["/etc"]}, "sources"),
        ({**BODY, "every_seconds": 1}, "every_seconds"),
    ],
)
def test_what_makes_no_sense_is_refused(api: Running, body: dict[str, Any], told: str) -> None:
    answer = api.http.post("/v1/scans", json=body, headers=api.key("admin"))
    assert answer.status_code == 422
    assert told in answer.text
    assert api.http.get("/v1/scans", headers=api.key("admin")).json() == {"scans": []}


def test_what_is_not_there(api: Running) -> None:
    admin = api.key("admin")
    assert api.http.get("/v1/scans/none", headers=admin).json()["type"].endswith("scan-missing")
    answer = api.http.patch("/v1/findings/none", json={"state": "open"}, headers=admin)
    assert answer.json()["type"].endswith("finding-missing")
    assert api.http.patch("/v1/findings/none", json={}, headers=admin).status_code in (404, 422)


def test_a_name_that_another_tenant_took_tells_nothing_of_it(api: Running) -> None:
    assert api.http.post("/v1/scans", json=BODY, headers=api.key("admin")).status_code == 202
    api.store(photo_jpeg(), "a", api.key("admin"), collection="mine")
    tenant = api.key("read", "write", collections=("works", "mine"))
    mine = {"catalogue": "works", "suspects": "mine"}
    named = api.http.post("/v1/scans", json=mine, headers=tenant)
    # the answer is the same whether or not somebody else has a scan of this name
    free = api.http.post("/v1/scans", json={**mine, "name": "nobody"}, headers=tenant)
    for answer, name in ((named, "works"), (free, "nobody")):
        assert answer.status_code == 202, answer.text
        assert re.fullmatch(f"{name}-[0-9a-f]{{8}}", answer.json()["scan"])
        assert "crawl" not in answer.text
    assert api.http.post("/v1/scans", json=mine, headers=tenant).json()["scan"] == named.json()["scan"]
    assert len(api.http.get("/v1/scans", headers=tenant).json()["scans"]) == 2
    # and nobody can take a name before others: the one that was free is still free
    taken = api.http.post("/v1/scans", json={**BODY, "name": "nobody"}, headers=api.key("admin"))
    assert (taken.status_code, taken.json()["scan"]) == (202, "nobody")
    assert api.http.get("/v1/scans/nobody", headers=tenant).json()["type"].endswith("scan-missing")


def test_a_key_goes_on_with_a_scan_that_it_sees(api: Running) -> None:
    assert api.http.post("/v1/scans", json=BODY, headers=api.key("admin")).json()["scan"] == "works"
    both = api.key("read", "write", collections=("works", "crawl"))
    assert api.http.post("/v1/scans", json=BODY, headers=both).json()["scan"] == "works"


def test_several_conditions_make_one_line_and_what_cannot_match_is_refused(
    api: Running, tmp_path: Path
) -> None:
    admin = api.key("admin")
    api.http.post("/v1/scans", json=BODY, headers=admin)
    carried_out(api, tmp_path)
    found = api.http.get("/v1/scans/works/findings", headers=admin).json()["findings"]
    place = "/v1/scans/works/allowances"
    cats = [each for each in found if each["work"]["source"].endswith("chelsea.png")]
    where = {"work": cats[0]["work"]["id"], "suspect": cats[0]["suspect"]["id"]}
    added = api.http.post(place, json={"where": where}, headers=admin)
    assert (added.status_code, added.json()["where"], added.json()["by"]) == (201, where, None)
    assert api.http.get("/v1/scans/works", headers=admin).json()["findings"] == {"open": len(found) - 1}
    listed = api.http.get("/v1/scans/works/findings", headers=admin).json()["findings"]
    assert [each["finding"] for each in listed] == [
        each["finding"] for each in found if each["finding"] != cats[0]["finding"]
    ]
    for body in (
        {},
        {"by": "site"},
        {"by": "site", "pattern": "partner.example/shop"},
        {"by": "site", "pattern": "a.example", "where": {"site": "b.example"}},
        {"where": {"work": "nothing"}},
        {"where": {"luck": "x"}},
        {"by": "collection", "pattern": "works"},
    ):
        assert api.http.post(place, json=body, headers=admin).status_code == 422, body


def test_what_is_allowed_is_not_reported_until_it_is_taken_off_the_list(api: Running, tmp_path: Path) -> None:
    admin = api.key("admin")
    api.http.post("/v1/scans", json=BODY, headers=admin)
    carried_out(api, tmp_path)

    def reported() -> list[str]:
        found = api.http.get("/v1/scans/works/findings", headers=admin).json()["findings"]
        return [each["suspect"]["id"] for each in found]

    first, *others = reported()
    place = "/v1/scans/works/allowances"
    line = {"by": "suspect", "pattern": first, "note": "ours"}
    added = api.http.post(place, json=line, headers=admin)
    assert (added.status_code, added.json()["scan"]) == (201, "works")
    assert api.http.post(place, json=line, headers=admin).json()["allowance"] == added.json()["allowance"]
    listed = api.http.get(place, headers=admin).json()["allowances"]
    assert [(each["by"], each["pattern"], each["note"]) for each in listed] == [("suspect", first, "ours")]
    assert reported() == others
    gone = f"{place}/{added.json()['allowance']}"
    assert api.http.delete(gone, headers=admin).status_code == 204
    assert reported() == [first, *others]
    assert api.http.delete(gone, headers=admin).json()["type"].endswith("allowance-missing")
    assert api.http.post(place, json={"by": "source", "pattern": "*"}, headers=admin).status_code == 422
    assert api.http.post(place, json={"by": "luck", "pattern": "x"}, headers=admin).status_code == 422


def test_the_allow_list_of_a_scan_is_for_those_who_see_the_scan(api: Running, tmp_path: Path) -> None:
    api.http.post("/v1/scans", json=BODY, headers=api.key("admin"))
    Allowances(api.service.index.state).add({"site": "partner.example"})
    place = "/v1/scans/works/allowances"
    line = {"by": "site", "pattern": "example.org"}
    both = api.key("read", "write", collections=("works", "crawl"))
    assert api.http.get(place, headers=both).json() == {"allowances": []}
    added = api.http.post(place, json=line, headers=both).json()
    one = api.key("read", "write", collections=("works",))
    assert api.http.get(place, headers=one).status_code == 404
    assert api.http.post(place, json=line, headers=one).status_code == 404
    assert api.http.delete(f"{place}/{added['allowance']}", headers=one).status_code == 404
    reader = api.key("read", collections=("works", "crawl"))
    assert api.http.post(place, json=line, headers=reader).status_code == 403
    others = next(Allowances(api.service.index.state).all())
    assert api.http.delete(f"{place}/{others.id}", headers=both).status_code == 404


@pytest.mark.slow
def test_every_answer_is_one_that_the_document_announces(api: Running, tmp_path: Path) -> None:
    admin = api.key("admin")
    assert api.http.post("/v1/scans", json=BODY, headers=admin).status_code == 202
    carried_out(api, tmp_path)
    api.without_limit_of_failures()
    mine = "^/v1/(jobs|scans|findings)"
    keeps_to_its_document(api.url, admin, tmp_path, "--include-path-regex", mine, seconds=30)
