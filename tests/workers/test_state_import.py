"""Exports with state: what people decided, and work under way, comes into either kind of index."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest

import facsimile
from facsimile.api.idempotency import KIND as IDEMPOTENCY
from facsimile.api.keys import Keys
from facsimile.ingest.errors import FetchUnavailable, SourceNotFound
from facsimile.ingest.item import Item, Outcome
from facsimile.search.errors import StoreError
from facsimile.search.export import TRANSIENT, exported_entries, load, save
from facsimile.search.index.base import Status
from facsimile.search.index.elastic.index import ElasticIndex
from facsimile.search.index.opening import open_index
from facsimile.search.index.state.base import Entry, EntryFilter, State
from facsimile.workers.ledger.chunks import Chunk, ChunkKind, Chunks
from facsimile.workers.ledger.dead_letters import DeadLetters
from facsimile.workers.ledger.jobs import INTAKE, Jobs
from facsimile.workers.ledger.sweeper import _MARK as SWEEPER
from facsimile.workers.queue.redrive import redrive
from facsimile.workers.state_import import StateImporter
from facsimile.workers.webhook import Endpoint, Webhooks
from tests.support.scan_case import FILLED, Case, shown
from tests.support.shell import Shell

pytestmark = pytest.mark.slow


@pytest.fixture
def place_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Gives a place for a new index of a kind."""
    remote: list[str] = []

    def place(kind: str) -> str:
        if kind == "embedded":
            return str(tmp_path / f"index-{uuid4().hex[:6]}")
        remote.append(f"{request.getfixturevalue('elasticsearch_url')}/moving-{uuid4().hex}")
        return remote[-1]

    yield place
    for location in remote:
        with suppress(StoreError):
            ElasticIndex.open(location).destroy()


@pytest.fixture(params=["embedded", "elastic"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def entries(state: State) -> list[dict[str, Any]]:
    """All that a state holds, but what only running processes need."""
    state.refresh()
    return [
        entry.as_json()
        for kind in state.kinds()
        if kind not in TRANSIENT
        for entry in state.all(EntryFilter(kind=kind))
    ]


def decided(location: str, folder: Path) -> str:
    """Make an index with a scan, reviews, an allow-list, a dead letter and a key; the text of the key."""
    case = Case(folder, location)
    case.fill(unrelated=0)
    with case.open() as index:
        case.scan(index)
        first, second, _ = index.scanning.findings.all()
        index.scanning.findings.review(first.id, state="confirmed", comment="wrote to them", reviewer="Ada")
        index.scanning.findings.review(second.id, state="dismissed")
        index.scanning.allowances.add({"site": "partner.example"}, note="licence")
        state = index.index.state
        jobs, chunks = Jobs(state), Chunks(state)
        jobs.start("images")
        chunks.record([Chunk(id="images/0", job="images", items=(Item("/gone.jpg"),), accepted=1)])
        claim = chunks.claim("images/0", "test")
        assert not isinstance(claim, list)
        chunks.finish(claim, [Outcome(claim.chunk.items[0], Status.FAILED, "no such file", SourceNotFound)])
        jobs.close("images")
        state.refresh()
        jobs.fold("images", index.index.refresh)
        state.put([Entry(kind=kind, id="passing") for kind in sorted(TRANSIENT)])
        return Keys(state).create("a tenant", ["read", "write"], ["works"])[1]


def test_the_kinds_that_are_left_out_are_those_of_running_processes() -> None:
    assert {IDEMPOTENCY, SWEEPER.kind} == TRANSIENT


def test_decisions_and_jobs_move_between_the_kinds_of_index_and_stay_equal(
    kind: str, place_of: Callable[[str], str], tmp_path: Path
) -> None:
    first = Shell(tmp_path, place_of(kind))
    key = decided(first.index, tmp_path)
    there = first.on(place_of("embedded" if kind == "elastic" else "elastic"))
    back = first.on(place_of(kind))
    number = first.json("export", "first.jsonl.gz")["entries"]
    assert there.json("import", "first.jsonl.gz")["entries"] == number
    assert there.json("export", "second.jsonl.gz")["entries"] == number
    assert back.json("import", "second.jsonl.gz") == back.json("import", "second.jsonl.gz")
    with open_index(first.index) as before, open_index(there.index) as other, open_index(back.index) as after:
        assert entries(before.state) == entries(other.state) == entries(after.state)
        assert {"allowance", "finding", "job", "key", "letter", "run", "scan"} <= set(after.state.kinds())
        assert not TRANSIENT & set(after.state.kinds())
        assert (found := Keys(after.state).verified(key)) and found.name == "a tenant"
        assert key.rpartition("_")[2] not in orjson.dumps(entries(after.state)).decode()
        assert Jobs(after.state).get("images").failed == 1
    with facsimile.open(back.index, settings=facsimile.Settings(model="none", processes=1)) as index:
        states = [each.state.value for each in index.scanning.findings.all()]
        assert states == ["open", "confirmed", "dismissed"]
        again = index.scan(catalogue="works")  # what was compared is not compared again
        assert (again.compared["new_suspects"], again.compared["new_works"], again.new) == (0, 0, 0)
        assert shown(index.scanning.findings.all()) == FILLED


def test_state_is_left_out_on_request_and_where_one_collection_is_exported(
    place_of: Callable[[str], str], tmp_path: Path
) -> None:
    first = Shell(tmp_path, place_of("embedded"))
    decided(first.index, tmp_path)
    for options in (["--without-state"], ["--collection", "works"]):
        assert first.json("export", "some.jsonl", *options)["entries"] == 0
        assert first.json("export", "some.jsonl", *options)["exported"] > 0
    first.json("export", "all.jsonl")
    there = first.on(place_of("embedded"))
    assert there.json("import", "all.jsonl", "--without-state")["entries"] == 0
    with open_index(there.index) as index:
        assert index.state.kinds() == []


def test_what_is_decided_in_the_other_index_stays(
    kind: str, place_of: Callable[[str], str], tmp_path: Path
) -> None:
    first = Shell(tmp_path, place_of("embedded"))
    decided(first.index, tmp_path)
    first.json("export", "all.jsonl")
    there = first.on(place_of(kind))
    there.json("import", "all.jsonl")
    with facsimile.open(there.index, model="none") as index:
        found = index.scanning.findings.all(states=["open"])
        index.scanning.findings.review(next(found).id, state="licensed")
    there.json("import", "all.jsonl")
    with facsimile.open(there.index, model="none") as index:
        assert [each.state.value for each in index.scanning.findings.all()][2] == "licensed"


def under_way(state: State) -> None:
    """Jobs with work in every state, a scan that is compared and is due again, an event to be sent."""
    jobs, chunks = Jobs(state), Chunks(state)
    for job in ("images", INTAKE, "scanning"):
        jobs.start(job)
    work = {"images": ChunkKind.INGEST, INTAKE: ChunkKind.INGEST, "scanning": ChunkKind.SUSPECTS}
    for job, kind in work.items():
        for number in range(3):
            items = tuple(Item(f"/{job}-{number}-{place}.jpg", id=str(place)) for place in range(4))
            chunks.record([Chunk(id=f"{job}/{number}", job=job, items=items, kind=kind, accepted=4)])
    claim = chunks.claim("images/0", "dead")
    later = chunks.claim("images/1", "busy")
    assert not isinstance(claim, list) and not isinstance(later, list)
    broken = [
        Outcome(item, Status.FAILED, "busy", FetchUnavailable if place % 2 else SourceNotFound)
        for place, item in enumerate(later.chunk.items)
    ]
    chunks.finish(later, broken)
    state.put(
        [
            Entry(
                kind="scan",
                id="works",
                terms={"phase": ("comparing",)},
                numbers={"created": 1, "begun": 2, "ended": 0, "every": 3600, "lease": 0, "due": 3},
                body={
                    **dict.fromkeys(("catalogue", "suspects", "run", "rules"), "x"),
                    "sources": [],
                    "similar": False,
                    "recheck": False,
                    "job": "scanning",
                },
            )
        ]
    )
    endpoint = Endpoint(url="https://receiver.example", secret="x" * 20)
    Webhooks(state, endpoint).announce("run", "scan.finished", "works", dict)
    state.refresh()


@pytest.fixture
def busy(place_of: Callable[[str], str], tmp_path: Path) -> Shell:
    """An index with work under way, exported."""
    shell = Shell(tmp_path, place_of("embedded"))
    shell.json("index", "create")
    with open_index(shell.index) as index:
        under_way(index.state)
    shell.json("export", "all.jsonl")
    return shell


def test_work_under_way_is_halted_and_every_image_is_told(
    kind: str, busy: Shell, place_of: Callable[[str], str]
) -> None:
    there = busy.on(place_of(kind))
    told = there("import", "all.jsonl")
    assert told.code == 0 and "in progress, and are halted here" in told.out, told
    assert there("import", "all.jsonl").out.count("halted") == 0, "a second call changes nothing"
    with open_index(there.index) as index:
        state = index.state
        for kind_ in ("queued", "running", "delayed"):
            assert state.count(EntryFilter(kind="chunk", terms={"state": (kind_,)})) == 0
        images, intake, scanning = (Jobs(state).get(id) for id in ("images", INTAKE, "scanning"))
        assert (images.accepted, images.failed, images.pending) == (12, 12, 0)
        assert (intake.accepted, intake.failed, intake.pending) == (12, 12, 0)
        assert (scanning.accepted, scanning.cancelled, scanning.pending) == (12, 12, 0)
        assert (images.state.value, intake.state.value) == ("cancelled", "open")
        (scan,) = state.all(EntryFilter(kind="scan"))
        assert (scan.term("phase"), scan.number("due"), scan.number("every")) == ("idle", 0, 3600)
        (event,) = state.all(EntryFilter(kind="delivery"))
        assert event.term("state") == "given up"
        letters = list(DeadLetters(state).all("images"))
        assert len({letter.item.source for letter in letters if letter.item}) == 12
        assert redrive(state, lambda published: None, letters) == 12
        images = Jobs(state).get("images")
        assert (images.pending, images.failed, images.state.value) == (12, 0, "closed")


def test_work_goes_on_where_that_is_asked_for(kind: str, busy: Shell, place_of: Callable[[str], str]) -> None:
    there = busy.on(place_of(kind))
    assert there.json("import", "all.jsonl", "--resume")["halted"] == 0
    with open_index(busy.index) as before, open_index(there.index) as after:
        assert entries(before.state) == entries(after.state)


def test_an_import_that_was_cut_short_is_repeated(
    kind: str, busy: Shell, place_of: Callable[[str], str]
) -> None:
    there = busy.on(place_of(kind))
    there.json("index", "create")
    with open_index(busy.index) as before, open_index(there.index) as after:
        chunks = list(before.state.all(EntryFilter(kind="chunk")))
        # it died between a chunk and its dead letters
        arrivals = StateImporter(_Dying(after.state))  # type: ignore[arg-type]
        with pytest.raises(KeyboardInterrupt):
            arrivals.put([chunk.replaced(version=None) for chunk in chunks])
    there.json("import", "all.jsonl")
    with open_index(there.index) as after:
        assert Jobs(after.state).get("images").failed == 12


class _Dying:
    """A state whose process is interrupted after its first write."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._written = False

    def put(self, entries: list[Entry]) -> list[Entry | None]:
        if self._written:
            raise KeyboardInterrupt
        self._written = True
        return self._state.put(entries)

    def get(self, refs: Any) -> Any:
        return self._state.get(refs)


def test_large_bodies_are_read_a_few_at_a_time(place_of: Callable[[str], str], tmp_path: Path) -> None:
    shell = Shell(tmp_path, place_of("embedded"))
    shell.json("index", "create")
    with open_index(shell.index) as index:
        for number in range(12):
            index.state.put([Entry(kind="letter", id=str(number), body={"raw": os.urandom(4_000_000).hex()})])
        file = tmp_path / "large.jsonl"
        assert len(list(save(file, index.signatures, exported_entries(index.state)))) == 12
        assert [len(some) for some in load(file, index.signatures) if some] == [2] * 6
        file.unlink()
