"""Scans over both indices: what is found, what a repeat compares, what people decided."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from PIL import Image, ImageOps

from facsimile.search.errors import InvalidRequest
from facsimile.search.query import Filter
from facsimile.workers.errors import FindingNotFound
from facsimile.workers.ledger.chunks import now
from facsimile.workers.scanning.compare import Comparer
from facsimile.workers.scanning.plan import Planner
from facsimile.workers.scanning.scans import Phase, ScanRules
from tests.support.pictures import NAMES, encoded, photograph
from tests.support.scan_case import FILLED, Case, edited, noise, shown
from tests.support.shell import Shell

pytestmark = pytest.mark.slow


@pytest.fixture(params=["embedded", "elastic"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    """A place for an index of each kind."""
    if request.param == "embedded":
        return Case(tmp_path, str(tmp_path / "index"))
    return Case(tmp_path, f"{request.getfixturevalue('elasticsearch_url')}/scan-{uuid4().hex}")


def test_findings_carry_their_evidence(case: Case) -> None:
    case.fill()
    with case.open() as index:
        index.ingest(case.works, collection="works")
        done = index.scan(case.suspects, catalogue="works")
        found = list(index.scanning.findings.all())
    assert shown(found) == FILLED
    assert (done.new, done.compared["new_suspects"], done.compared["new_works"], done.failed) == (3, 23, 6, 0)
    border = next(each.as_json() for each in found if each.suspect["source"].endswith("cat-border.jpg"))
    data = (case.suspects / "cat-border.jpg").read_bytes()
    assert border["evidence"]["suspect_sha256"] == hashlib.sha256(data).hexdigest()
    assert border["evidence"]["urls"] == [str(case.suspects / "cat-border.jpg")]
    assert border["evidence"]["thresholds"]["copy"] == 48
    assert border["evidence"]["signatures"]["hash"].startswith("phash256")
    assert border["evidence"]["first_seen"].endswith("+00:00")
    assert (border["state"], border["verdict"]) == ("open", "copy")
    assert "pasted" in border["edit"]
    assert len(border["proof"]["area"]["query"]) >= 3


def test_a_repeat_compares_only_new_suspects(case: Case) -> None:
    case.fill(unrelated=97)
    with case.open() as index:
        case.scan(index)
        again = case.scan(index)
        assert (again.run.new_suspects, again.run.new_works, again.new) == (0, 0, 0)
        case.suspect("late.jpg", edited("coffee.png"))
        late = case.scan(index)
        assert (late.run.new_suspects, late.jobs[-1].accepted, late.new) == (1, 1, 1)
        assert shown(index.scanning.findings.all()) == FILLED | {("late.jpg", "coffee.png")}


def test_new_works_meet_earlier_suspects(case: Case) -> None:
    case.work("coffee.png")
    case.suspect("cat.jpg", edited("chelsea.png"))
    case.suspect("cat-border.jpg", edited("chelsea.png", "border"))
    for number in range(20):
        case.suspect(f"noise-{number}.jpg", noise(number))
    with case.open() as index:
        assert case.scan(index).new == 0
        case.work("chelsea.png")
        later = case.scan(index)
        assert (later.run.new_suspects, later.run.new_works, later.jobs[-1].accepted) == (0, 1, 1)
        found = list(index.scanning.findings.all())
    assert shown(found) == {("cat.jpg", "chelsea.png"), ("cat-border.jpg", "chelsea.png")}
    # as if the work had been there first: the suspect is the query, so a border was put around the work
    assert any("pasted" in each.edit for each in found)


def test_new_works_meet_earlier_pages(case: Case) -> None:
    case.work("coffee.png")
    page = Image.new("RGB", (1200, 900), "white")
    page.paste(photograph("chelsea.png", 460), (60, 120))
    page.paste(photograph("rocket.jpg", 400), (640, 500))
    case.suspect("page.jpg", encoded(page, "JPEG", quality=80))
    case.suspect("mirrored.jpg", encoded(ImageOps.mirror(page), "JPEG", quality=80))
    for number in range(5):
        case.suspect(f"noise-{number}.jpg", noise(number))
    with case.open() as index:
        assert case.scan(index).new == 0
        case.work("chelsea.png")
        later = case.scan(index)
        assert (later.run.new_suspects, later.run.new_works) == (0, 1)
        found = list(index.scanning.findings.all())
    assert shown(found) == {("page.jpg", "chelsea.png"), ("mirrored.jpg", "chelsea.png")}
    assert all(each.as_json()["verdict"] == "copy" for each in found)
    assert all("pasted at" in each.as_json()["edit"] for each in found)


def test_a_work_with_more_suspects_than_are_asked_for(case: Case) -> None:
    case.work("coffee.png")
    edits = ("jpeg q30", "gray", "brighter", "darker", "noise")
    for edit in edits:
        case.suspect(f"{edit}.jpg".replace(" ", "-"), edited("chelsea.png", edit))
    with case.open() as index:
        run = case.scan(index).run
        case.work("chelsea.png")
        case.bring_in(index, case.works, "works")
        keys = [record.key for record in index.index.scan(Filter(("works",)))]
        Comparer(index.index, run, crowd=2).works(keys)
        assert len(shown(index.scanning.findings.all())) == len(edits)


def test_an_updated_suspect_is_another_finding(case: Case) -> None:
    case.fill(unrelated=0)
    listed = case.suspects.parent / "list.jsonl"

    def told(data: bytes) -> Path:
        place = case.suspect("page.jpg", data)
        listed.write_text(json.dumps({"source": place, "id": "page"}))
        return listed

    with case.open() as index:
        case.bring_in(index, case.works, "works")
        index.scan(told(edited("coffee.png")), catalogue="works")
        index.scan(told(edited("camera.png")), catalogue="works")
        assert shown(index.scanning.findings.all()) == {
            ("page.jpg", "coffee.png"),
            ("page.jpg", "camera.png"),
        }
        gone = index.scan(told(noise(1)), catalogue="works")
        assert (gone.compared["new_suspects"], gone.new) == (1, 0)
        assert len(list(index.scanning.findings.all())) == 2


def test_findings_outlive_their_works(case: Case) -> None:
    case.fill(unrelated=0)
    with case.open() as index:
        case.scan(index)
        (cat,) = (r.id for r in index.index.scan(Filter(("works",))) if r.source.endswith("chelsea.png"))
        index.remove(cat, collection="works")
        again = index.scan(catalogue="works")
        assert (again.compared["works"], again.compared["new_works"]) == (len(NAMES) - 1, 0)
        assert shown(index.scanning.findings.all()) == FILLED
        back = case.scan(index)
        assert (back.run.new_works, back.new) == (1, 0)
        assert shown(index.scanning.findings.all()) == FILLED


def test_other_thresholds_compare_everything_again(case: Case) -> None:
    case.fill()
    with case.open() as index:
        case.scan(index)
    with case.open(copy_distance=40) as index:
        again = case.scan(index)
        assert (again.run.new_suspects, again.new) == (23, 0)
        (thresholds,) = {
            each.as_json()["evidence"]["thresholds"]["copy"] for each in index.scanning.findings.all()
        }
    assert thresholds == 40


def test_what_is_only_similar_is_found_on_request(case: Case) -> None:
    case.fill(unrelated=0)
    with case.open(copy_distance=0, verify_candidates=0) as index:
        assert case.scan(index).new == 0
        assert case.scan(index, include_similar=True).new == 3
        assert {each.verdict for each in index.scanning.findings.all()} == {"similar"}


def test_a_scan_says_how_many_matches_with_fitting_geometry_it_left_out(case: Case) -> None:
    case.fill(unrelated=3)
    with case.open(copy_distance=0, verify_residual=1e-6) as index:
        done = case.scan(index)
        # the caption on the third is told from a difference of pixels, however strict the limit of those is
        assert (done.new, done.left_out, done.as_json()["similar_left_out"]) == (1, 2, 2)
        assert case.scan(index).left_out == 0, "nothing was compared"
        case.suspect("late.jpg", edited("coffee.png"))
        assert case.scan(index).left_out == 1
        seen = case.scan(index, include_similar=True)
        assert (seen.new, seen.left_out) == (3, 0)
        notes = [each.as_json()["note"] for each in index.scanning.findings.all()]
        assert sorted(notes) == ["", *["same template"] * 3]
    shell = Shell(
        case.works.parent, case.location, FACSIMILE_COPY_DISTANCE="0", FACSIMILE_VERIFY_RESIDUAL="0.000001"
    )
    told = shell("scan", "--catalogue", "works")
    assert "3 matches are only similar, though geometry fits" in told.out
    assert "--include-similar" in told.out


def test_reviews_survive_repeats(case: Case) -> None:
    case.fill()
    with case.open() as index:
        case.scan(index)
        findings = index.scanning.findings
        first = next(findings.all())
        findings.review(first.id, state="dismissed", comment="our own shop", reviewer="Ada")
        findings.review(first.id, comment="asked twice")
    with case.open(copy_distance=40) as index:
        case.scan(index)
        told = index.scanning.findings.get(first.id).as_json()
        assert (told["state"], told["reviewer"]) == ("dismissed", "Ada")
        assert [each["comment"] for each in told["history"]] == ["our own shop", "asked twice"]
        assert {each.id for each in index.scanning.findings.all(states=["dismissed"])} == {first.id}
        with pytest.raises(InvalidRequest, match="unknown state 'gone'"):
            index.scanning.findings.review(first.id, state="gone")
        with pytest.raises(FindingNotFound):
            index.scanning.findings.review("nothing", state="open")


def test_one_suspect_at_several_addresses_is_one_finding(case: Case) -> None:
    case.work("chelsea.png")
    data = edited("chelsea.png")
    places = [case.suspect(name, data) for name in ("a.jpg", "b.jpg")]
    with case.open() as index:
        case.scan(index)
        (found,) = index.scanning.findings.all()
        assert found.suspect["sources"] == places
        index.scanning.findings.review(found.id, state="confirmed")
        places.append(case.suspect("c.jpg", data))
        assert case.scan(index).new == 0
        (found,) = index.scanning.findings.all()
        assert (found.suspect["sources"], found.state) == (places, "confirmed")
        listed = case.suspects.parent / "list.jsonl"
        listed.write_text(json.dumps({"source": case.suspect("d.jpg", data), "id": "under another id"}))
        index.scan(listed, catalogue="works")
        (found,) = index.scanning.findings.all()
        assert found.suspect["sources"] == [*places, str(case.suspects / "d.jpg")]
        assert len(found.suspect_keys) == 2


@pytest.mark.parametrize("by", ["source", "collection", "suspect", "work"])
def test_the_allow_list(case: Case, by: str) -> None:
    case.fill(unrelated=0)
    with case.open() as index:
        case.scan(index)
        one = next(
            each for each in index.scanning.findings.all() if each.work["source"].endswith("rocket.jpg")
        )
        patterns = {
            "source": "*/rocket.png",
            "collection": "suspects-works",
            "suspect": one.suspect["id"],
            "work": one.work["id"],
        }
        allowances = index.scanning.allowances

        def reported() -> set[tuple[str, str]]:
            return shown(allowances.reported(index.scanning.findings.all()))

        assert reported() == FILLED
        added = allowances.add({by: patterns[by]})
        expected = set() if by == "collection" else FILLED - {("rocket.png", "rocket.jpg")}
        assert reported() == expected
        case.scan(index)
        assert reported() == expected
        allowances.remove([added.id])
        assert reported() == FILLED


def test_a_scan_keeps_what_it_compares(case: Case) -> None:
    case.fill(unrelated=0)
    with case.open() as index:
        case.scan(index)
        case.bring_in(index, case.works, "others")
        with pytest.raises(InvalidRequest, match="another --name"):
            index.scan(case.suspects, catalogue="others", name="works")
        with pytest.raises(InvalidRequest, match="two collections"):
            index.scan(catalogue="works", suspects_collection="works")
        with pytest.raises(InvalidRequest, match="no collection nothing"):
            index.scan(case.suspects, catalogue="nothing")
        both = index.scan(catalogue="others", suspects_collection="suspects-works", name="second")
        assert both.new == 3
        assert shown(index.scanning.findings.all(scan="second")) == FILLED


def test_one_of_several_processes_plans_a_run(case: Case) -> None:
    case.fill(unrelated=0)
    with case.open() as index:
        case.scan(index)
        case.suspect("late.jpg", edited("coffee.png"))
        case.bring_in(index, case.suspects, "suspects-works")
        scans, planner = index.scanning.scans, Planner(index.index)
        wanted = index.settings.scan_rules(index.index, False)
        idle = scans.get("works")
        planned = planner.plan(idle, wanted)
        assert planned is not None
        assert len(planned) == 1
        assert planner.plan(idle, wanted) is None
        under_way = scans.get("works")
        assert planner.plan(under_way, wanted) is None
        assert planner.finish(under_way) is None
        # a plan that was cut short leaves nothing behind
        assert scans.save(under_way.replaced(phase=Phase.PLANNING, lease=now() - 1))
        assert planner.plan(scans.get("works"), wanted) is not None
        assert [job.id for job in index.queue.jobs.all() if job.finished is None] == [scans.get("works").job]
        done = index.scan(catalogue="works")
        assert done.new == 1
        assert shown(index.scanning.findings.all()) == FILLED | {("late.jpg", "coffee.png")}


def test_processes_that_begin_one_scan_together_make_one_run(case: Case) -> None:
    case.fill()
    with case.open() as index:
        case.bring_in(index, case.works, "works")
        case.bring_in(index, case.suspects, "suspects-works")

    def scan(_number: int) -> int:
        with case.open() as index:
            return index.scan(catalogue="works").failed

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(scan, range(4))) == [0] * 4
    with case.open() as index:
        assert shown(index.scanning.findings.all()) == FILLED
        assert all(job.finished and not job.pending for job in index.queue.jobs.all())
        assert index.scan(catalogue="works").compared["new_suspects"] == 0


def test_rules_of_an_earlier_version_are_read(case: Case) -> None:
    """Their limits of verification that there are no more are left out."""
    with case.open() as index:
        rules = index.settings.scan_rules(index.index, False)
    stored = rules.as_json()
    stored["verification"] = stored["verification"] | {"second_cosine": 0.45}
    assert ScanRules.from_json(stored) == rules
