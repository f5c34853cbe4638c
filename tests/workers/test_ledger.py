"""The ledger under every order of events: workers that die, that are late, that work on the same chunk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facsimile.imaging.errors import NotAnImage
from facsimile.imaging.phash import HASH_VERSION
from facsimile.ingest.errors import FetchUnavailable
from facsimile.ingest.item import Item, Outcome
from facsimile.search.index.base import Signatures, Status
from facsimile.search.index.embedded.index import EmbeddedIndex
from facsimile.search.index.state.base import Entry, EntryFilter, State
from facsimile.workers.ledger.chunks import DEATHS, TRIES, Chunk, ChunkLease, Chunks, ChunkState
from facsimile.workers.ledger.dead_letters import DeadLetters
from facsimile.workers.ledger.jobs import Jobs
from facsimile.workers.ledger.kinds import CHUNK
from facsimile.workers.ledger.sweeper import Sweeper
from facsimile.workers.queue.redrive import redrive

#: what becomes of an item whenever it is worked on
FATES = ("good", "bad", "flaky", "poison")

MINUTE = 60_000


@pytest.fixture(autouse=True, scope="module")
def fold_at_once() -> Iterator[None]:
    """Counts are folded while work is under way, as in jobs of many chunks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("facsimile.workers.ledger.jobs.FOLD", 1)
        yield


@contextmanager
def state() -> Iterator[State]:
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedIndex.create(Path(folder), Signatures(HASH_VERSION)) as index,
    ):
        yield index.state


class World:
    """Workers on one job. Time stands still: a lease ends when the test says so."""

    def __init__(self, state: State, fates: list[str], size: int) -> None:
        self.state = state
        self.chunks = Chunks(state)
        self.jobs = Jobs(state)
        self.items = [Item(f"/{place}-{fate}") for place, fate in enumerate(fates)]
        self.claims: list[ChunkLease] = []
        self.indexed: set[str] = set()
        self.jobs.start("job")
        for number in range(0, len(self.items), size):
            some = tuple(self.items[number : number + size])
            self.chunks.record([Chunk(id=f"job/{number}", job="job", items=some, accepted=len(some))])
        self.jobs.close("job")

    def open(self) -> list[Entry]:
        states = tuple(each.value for each in ChunkState if each is not ChunkState.DONE)
        return self.state.find(EntryFilter(kind=CHUNK, terms={"state": states})).entries

    def end_leases(self) -> None:
        """Let so much time pass that every claim has run out, and every pause is over."""
        for entry in self.open():
            self.state.put([entry.replaced(numbers={**entry.numbers, "due": 0})])

    def deliver(self, choice: int) -> None:
        """A message comes, perhaps once more than it was sent."""
        if chunks := self.state.find(EntryFilter(kind=CHUNK)).entries:
            self.claim(chunks[choice % len(chunks)])

    def claim(self, chunk: Entry) -> None:
        claim = self.chunks.claim(chunk.id, "worker")
        if isinstance(claim, ChunkLease):
            self.claims.append(claim)

    def work(self, choice: int) -> None:
        """One worker comes to its end; a poison kills it."""
        if not self.claims:
            return
        claim = self.claims.pop(choice % len(self.claims))
        if not any(item.source.endswith("poison") for item in claim.chunk.items):
            self.chunks.finish(claim, [self.outcome(item) for item in claim.chunk.items])

    def outcome(self, item: Item) -> Outcome:
        fate = item.source.partition("-")[2]
        if fate == "bad":
            return Outcome(item, Status.FAILED, "no picture", NotAnImage)
        if fate == "flaky":
            return Outcome(item, Status.FAILED, "busy", FetchUnavailable)
        status = Status.UNCHANGED if item.source in self.indexed else Status.ADDED
        self.indexed.add(item.source)
        return Outcome(item, status)

    def die(self, choice: int) -> None:
        if self.claims:
            self.claims.pop(choice % len(self.claims))

    def fold(self, choice: int) -> None:
        self.jobs.fold("job", self.state.refresh)

    def run_out(self) -> None:
        """Work with nobody dying any more, until nothing is left."""
        for _ in range(40 * DEATHS * TRIES):
            self.end_leases()
            self.claims.clear()
            waiting = self.open()
            if not waiting:
                break
            self.claim(waiting[0])
            self.work(0)
        self.jobs.fold("job", self.state.refresh)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["deliver", "work", "die", "fold", "time"]), st.integers(0, 5)), max_size=40
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(FATES), max_size=8), st.integers(1, 4), EVENTS)
def test_each_item_ends_once(fates: list[str], size: int, events: list[tuple[str, int]]) -> None:
    with state() as kept:
        world = World(kept, fates, size)
        for name, choice in events:
            if name == "time":
                world.end_leases()
            else:
                getattr(world, name)(choice)
        world.run_out()
        job = world.jobs.get("job")
        letters = {letter.item.source for letter in DeadLetters(kept).all("job") if letter.item}
        failing = {item.source for item in world.items if not item.source.endswith("good")}
        good = {item.source for item in world.items} - failing
        assert world.indexed >= good
        assert failing <= letters
        # an item whose workers happened to die too often is listed, although it is indexed by then
        assert (job.accepted, job.pending) == (len(fates), 0)
        assert job.added + job.unchanged + job.failed == len(fates)
        assert job.failed == len(letters)
        assert job.state == "finished"


def test_of_two_workers_on_a_chunk_the_first_has_the_say() -> None:
    with state() as kept:
        world = World(kept, ["bad"], 1)
        world.deliver(0)
        world.end_leases()
        world.deliver(0)
        slow, quick = world.claims
        bad = [world.outcome(item) for item in quick.chunk.items]
        assert Chunks(kept).finish(quick, bad)
        assert not Chunks(kept).finish(slow, [Outcome(item, Status.ADDED) for item in slow.chunk.items])
        job = world.jobs.get("job")
        assert (job.added, job.failed, job.pending) == (0, 1, 0)


def test_what_follows_from_a_chunk_is_written_though_its_worker_died_over_it() -> None:
    class Dying(Chunks):
        def settle(self, entries: object) -> None:
            """Killed just before."""

    with state() as kept:
        world = World(kept, ["bad", "flaky", "good"], 3)
        world.deliver(0)
        (claim,) = world.claims
        Dying(kept).finish(claim, [world.outcome(item) for item in claim.chunk.items])
        assert world.jobs.get("job").failed == 0
        (entry,) = kept.find(EntryFilter(kind=CHUNK)).entries
        kept.put([entry.replaced(numbers={**entry.numbers, "at": entry.number("at") - MINUTE})])
        Sweeper(kept, kept.refresh, lambda published: None, lambda: 0).sweep()
        assert world.jobs.get("job").failed == 1
        (later,) = world.open()
        assert later.term("state") == ChunkState.DELAYED


def test_letters_are_put_back_once() -> None:
    with state() as kept:
        world = World(kept, ["bad", "bad"], 2)
        world.run_out()
        letters = list(DeadLetters(kept).all("job"))
        published: list[object] = []
        assert redrive(kept, published.extend, letters) == 2
        assert redrive(kept, published.extend, letters) == 2  # by somebody who had looked at the same time
        assert len(published) == 1
        job = world.jobs.get("job")
        assert (job.state, job.failed, job.pending) == ("closed", 0, 2)


def test_every_try_of_a_chunk_has_an_id_of_its_own() -> None:
    with state() as kept:
        world = World(kept, ["flaky"], 1)
        ids = []
        for _ in range(TRIES):
            (entry,) = world.open()
            ids.append(entry.id)
            world.end_leases()
            world.deliver(0) if len(ids) == 1 else world.claim(entry)
            world.work(0)
        assert ids == ["job/0", *(f"job/0~{tries}" for tries in range(2, TRIES + 1))]
        assert world.open() == [] and world.jobs.get("job").failed == 1


def test_a_lease_keeps_others_away_and_only_its_holder_loses_it() -> None:
    with state() as kept:
        world = World(kept, ["good"], 1)
        assert isinstance(world.chunks.claim("job/0", "first"), ChunkLease)
        assert world.chunks.claim("job/0", "second") == []
        for other in ("early", "zebra"):
            assert world.chunks.reclaim("job/0", other) == []
        (taken,) = world.chunks.reclaim("job/0", "first")
        assert taken.id == "job/0"
        assert isinstance(world.chunks.claim("job/0", "second"), ChunkLease)
