"""The entries that an index keeps beside its records: jobs, findings, keys."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facsimile.search.errors import IndexNotFound, InvalidRequest
from facsimile.search.index.base import Index
from facsimile.search.index.opening import rebuild_index
from facsimile.search.index.state.base import Entry, EntryFilter, Listing, Ref, State
from tests.conformance.conftest import Place
from tests.support.records import random_vector, record

ROOT = Path(__file__).parents[2]

JOBS = EntryFilter(kind="job")


def job(id: str, state: str = "open", **fields: Any) -> Entry:
    return Entry(kind="job", id=id, terms={"state": (state,)}, **fields)


def stored(state: State, *entries: Entry) -> list[Entry]:
    """The entries with their versions, visible to listings."""
    written = state.put(entries)
    state.refresh()
    assert None not in written
    return [entry for entry in written if entry]


def ids(listing: Listing) -> list[str]:
    return [entry.id for entry in listing.entries]


def pages(state: State, wanted: EntryFilter, limit: int, **order: Any) -> list[str]:
    """The ids of a listing, page by page."""
    found: list[str] = []
    cursor = None
    while True:
        page = state.find(wanted, limit=limit, cursor=cursor, **order)
        assert len(page.entries) <= limit
        found += ids(page)
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.fixture
def state(index: Index) -> State:
    return index.state


# -- writing -----------------------------------------------------------------------------------------------


def test_where_nothing_was_written_all_answers_are_empty(state: State) -> None:
    state.refresh()
    assert state.get([Ref("job", "1")]) == {}
    assert state.find(JOBS, order="due") == Listing([], None)
    assert list(state.all(JOBS)) == []
    assert (state.count(JOBS), state.counts(JOBS, "state"), state.sums(JOBS, ["n"])) == (0, {}, {"n": 0})
    state.delete([Ref("job", "1")])
    assert state.put([]) == []


def test_an_entry_comes_back_as_it_was(state: State) -> None:
    entry = Entry(
        kind="job",
        id="ein Auftrag/ü?#%:sha256-",
        terms={"state": ("open",), "tags": ("b", "a", "b"), "none": ()},
        numbers={"due": -(2**63), "made": 2**63 - 1},
        body={"": {"a.b": None, "a": {"b": 2**63}}, "float": 0.1, "list": [1, 1.0, True], "text": '\0 ☃ "'},
    )
    (written,) = state.put([entry])
    assert written == entry
    found = state.get([entry.ref, Ref("job", "missing"), Ref("other", entry.id)])
    assert found == {entry.ref: entry}
    assert repr(found[entry.ref].body) == repr(entry.body), "1 is not 1.0 and not True"
    assert found[entry.ref].version == written.version


def test_what_was_written_last_can_be_read_at_once(state: State) -> None:
    (first,) = stored(state, job("1"))
    (second,) = state.put([first.replaced(terms={"state": ("done",)})])
    assert second is not None
    assert state.get([first.ref])[first.ref].term("state") == "done"
    state.refresh()
    assert state.counts(JOBS, "state") == {"done": 1}


def test_a_write_from_an_old_version_changes_nothing(state: State) -> None:
    (first,) = stored(state, job("1", numbers={"n": 1}))
    (second,) = stored(state, first.replaced(numbers={"n": 2}))
    other = job("2")
    assert state.put([first.replaced(numbers={"n": 3}), job("1"), other][::2]) == [None, other]
    assert state.put([job("1")]) == [None], "it is not new"
    assert state.get([first.ref])[first.ref].numbers == {"n": 2}
    state.delete([first.ref])
    assert state.put([second]) == [None], "what was deleted is not there"
    assert state.put([job("1")]) == [job("1")]
    assert state.put([second]) == [None], "what was made anew is another one"


def test_kinds_do_not_meet(state: State) -> None:
    stored(state, job("1"), Entry(kind="key", id="1", terms={"state": ("open",)}))
    assert state.count(JOBS) == 1
    state.delete([Ref("job", "1")])
    state.refresh()
    assert (state.count(JOBS), state.count(EntryFilter(kind="key"))) == (0, 1)


def test_deleting_forgets_all_of_an_entry(state: State) -> None:
    stored(state, *(job(str(n), numbers={"n": n}) for n in range(4)))
    state.delete([Ref("job", "1"), Ref("job", "1"), Ref("job", "missing")])
    state.refresh()
    assert pages(state, JOBS, 10, order="n") == ["0", "2", "3"]
    assert (state.counts(JOBS, "state"), state.sums(JOBS, ["n"])) == ({"open": 3}, {"n": 5})


def test_of_writers_that_race_one_wins(place: Place) -> None:
    index = place.create()
    stored(index.state, job("1", numbers={"n": 0}))
    rounds, writers = 20, 4

    def count_up() -> None:
        with place.open() as mine:
            for _ in range(rounds):
                while True:
                    entry = mine.state.get([Ref("job", "1")])[Ref("job", "1")]
                    if mine.state.put([entry.replaced(numbers={"n": entry.number("n") + 1})]) != [None]:
                        break

    threads = [threading.Thread(target=count_up) for _ in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert index.state.get([Ref("job", "1")])[Ref("job", "1")].number("n") == rounds * writers


CLAIMING = """
import sys
from facsimile.search.index.opening import _any
from tests.conformance.test_state import job
with _any(sys.argv[1], None) as index:
    sys.stdin.readline()
    for number in range(20):
        written = index.state.put([job(str(number), body={"by": sys.argv[2]})])
        print(*(entry.id for entry in written if entry), flush=True)
"""


@pytest.mark.slow
def test_processes_that_write_first_together(place: Place) -> None:
    """Each makes the place of the state if it is not there, and each entry is the work of one."""
    index = place.create()
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMING, place.location, name],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "abc"
    ]
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    won = {name: process.communicate()[0].split() for name, process in zip("abc", started, strict=True)}
    assert [process.returncode for process in started] == [0, 0, 0]
    made = {
        entry.id: entry.body["by"]
        for entry in index.state.get(Ref("job", str(n)) for n in range(20)).values()
    }
    assert made == {id: name for name, some in won.items() for id in some}
    assert sum(map(len, won.values())) == len(made) == 20


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (job(""), "id is empty"),
        (job("x" * 513), "513 bytes"),
        (job("\udc80"), "Unicode"),
        (job("a\0"), "NUL"),
        (job("1", "x" * 1025), "1025 bytes"),
        (Entry(kind="no name", id="1"), "no name"),
        (job("1", numbers={"a.b": 1}), "no name"),
        (job("1", numbers={"n": 2**63}), "64 bits"),
        (job("1", numbers={"n": True}), "64 bits"),
        (job("1", body={"x": float("nan")}), "nan"),
        (job("1", body={"x": (1, 2)}), "tuple"),
        (job("1", body={"x": "\udc80"}), "no JSON"),
        (job("1", body={"x": 2**64}), "no JSON"),
        (job("1", body={"x": "y" * 20_000_000}), "bytes of JSON"),
    ],
)
def test_what_no_index_keeps_is_refused(state: State, entry: Entry, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        state.put([job("good"), entry])
    assert state.get([Ref("job", "good")]) == {}, "nothing of the call was written"


def test_the_longest_that_is_kept(state: State) -> None:
    first, second = job("ü" * 256, "ü" * 512), job("ü" * 255 + "xy", "")
    stored(state, first, second)
    assert state.get([first.ref, second.ref]) == {first.ref: first, second.ref: second}
    assert ids(state.find(EntryFilter(kind="job", terms={"state": ("ü" * 512,)}))) == [first.id]
    assert state.counts(JOBS, "state") == {"ü" * 512: 1, "": 1}


def test_large_bodies(state: State) -> None:
    entries = [job(f"{n:02}", body={"image": chr(97 + n) * 3_000_000 if n % 2 else ""}) for n in range(16)]
    stored(state, *entries)
    assert list(state.all(JOBS)) == entries
    assert list(state.get(entry.ref for entry in entries).values()) == entries
    huge = job("huge", body={"image": "x" * 12_000_000})
    stored(state, huge)
    assert state.find(JOBS, descending=True, limit=1).entries == [huge]


# -- listing -----------------------------------------------------------------------------------------------


def test_terms_are_any_of_the_values_and_all_of_the_names(state: State) -> None:
    stored(
        state,
        Entry(kind="job", id="1", terms={"state": ("open",), "owner": ("a", "b")}),
        Entry(kind="job", id="2", terms={"state": ("done",), "owner": ("b",)}),
        Entry(kind="job", id="3", terms={"state": ("lost",), "owner": ("c", 'ä☃ \\"*')}),
        Entry(kind="key", id="4", terms={"state": ("open",), "owner": ("a", "b")}),
    )

    def listed(**terms: tuple[str, ...]) -> list[str]:
        wanted = EntryFilter(kind="job", terms=terms)
        assert state.count(wanted) == len(ids(state.find(wanted)))
        return ids(state.find(wanted))

    assert listed(state=("open", "done")) == ["1", "2"]
    assert listed(state=("open", "lost"), owner=("b", "c")) == ["1", "3"]
    assert listed(owner=('ä☃ \\"*',)) == ["3"]
    assert listed(owner=("A",)) == listed(owner=("*",)) == listed(other=("a",)) == listed(owner=()) == []


def test_numbers_between_bounds(state: State) -> None:
    stored(state, *(job(str(n), numbers={"n": n - 2, "big": 2**62 + n}) for n in range(5)), job("x"))

    def listed(**between: tuple[int | None, int | None]) -> list[str]:
        return ids(state.find(EntryFilter(kind="job", between=between)))

    assert listed(n=(-1, 1)) == ["1", "2"]
    assert listed(n=(None, 0)) == ["0", "1"]
    assert listed(n=(1, None)) == ["3", "4"]
    assert listed(n=(None, None)) == ["0", "1", "2", "3", "4"]
    assert listed(big=(2**62 + 1, 2**62 + 2), n=(-5, 5)) == ["1"]
    assert listed(other=(None, None)) == listed(n=(3, 3)) == []
    assert ids(state.find(EntryFilter(kind="job", between={"n": (0, None)}), order="n", descending=True)) == [
        *"432"
    ]


def test_order_by_a_number_then_by_id(state: State) -> None:
    stored(state, *(job(id, numbers={"due": due}) for id, due in zip("dbacé", (2, 1, 2, -7, 2), strict=True)))
    stored(state, job("without"))
    ascending = ["c", "b", "a", "d", "é"]
    for limit in (1, 2, 5, 6):
        assert pages(state, JOBS, limit, order="due") == ascending
        assert pages(state, JOBS, limit, order="due", descending=True) == ascending[::-1]
        assert pages(state, JOBS, limit) == ["a", "b", "c", "d", "without", "é"]
        assert pages(state, JOBS, limit, descending=True) == ["é", "without", "d", "c", "b", "a"]


def test_a_cursor_survives_writes_and_another_process(place: Place) -> None:
    with place.create() as index:
        entries = stored(index.state, *(job(f"{n:02}", numbers={"n": n // 2}) for n in range(0, 20, 2)))
        first = index.state.find(JOBS, order="n", limit=4)
        assert ids(first) == ["00", "02", "04", "06"]
        index.state.delete([entries[3].ref])
        stored(index.state, job("01", numbers={"n": 0}), job("07", numbers={"n": 3}))
    again = place.open().state
    assert pages(again, JOBS, 3, order="n")[:2] == ["00", "01"]
    rest = again.find(JOBS, order="n", cursor=first.cursor)
    assert ids(rest) == ["07", "08", "10", "12", "14", "16", "18"]
    assert rest.cursor is None


@pytest.mark.parametrize("other", [{"descending": True}, {"order": ""}, {"where": EntryFilter(kind="key")}])
def test_a_cursor_of_another_listing_is_refused(state: State, other: dict[str, Any]) -> None:
    stored(state, job("1", numbers={"n": 1}), job("2", numbers={"n": 2}))
    cursor = state.find(JOBS, order="n", limit=1).cursor
    listing: dict[str, Any] = {"where": JOBS, "order": "n", "cursor": cursor} | other
    with pytest.raises(InvalidRequest, match="not a cursor"):
        state.find(**listing)


@pytest.mark.parametrize("cursor", ["", "x", "☃", "W10=", "bnVsbA==", "WyJqb2IiLCAibiIsIGZhbHNlLCAxLCAyXQ=="])
def test_what_is_no_cursor_is_refused(state: State, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="not a cursor"):
        state.find(JOBS, order="n", cursor=cursor)


def test_what_cannot_be_wanted_is_refused(state: State) -> None:
    stored(state, job("1"))
    for ask in (
        lambda: state.find(EntryFilter(kind="job", terms={"st*": ("a",)})),
        lambda: state.find(JOBS, order="n.m"),
        lambda: state.count(EntryFilter(kind="job", terms={"state": ("\udc80",)})),
        lambda: state.count(EntryFilter(kind="job", between={"n": (2**63, None)})),
        lambda: state.counts(JOBS, "state.x"),
        lambda: state.sums(JOBS, ["*"]),
        lambda: state.get([Ref("job", "\udc80")]),
        lambda: state.delete([Ref("job", "\udc80")]),
        lambda: state.put([job("2"), job("2")]),
    ):
        with pytest.raises(InvalidRequest):
            ask()


def test_counts_and_sums(state: State) -> None:
    stored(
        state,
        Entry(kind="job", id="1", terms={"state": ("a",), "tag": ("x", "y", "x")}, numbers={"n": 2**52}),
        Entry(kind="job", id="2", terms={"state": ("a",), "tag": ("y",)}, numbers={"n": 3, "m": -5}),
        Entry(kind="job", id="3", terms={"state": ("b",)}, numbers={"m": 1}),
        Entry(kind="key", id="3", terms={"state": ("a",)}, numbers={"m": 1}),
    )
    assert state.counts(JOBS, "state") == {"a": 2, "b": 1}
    assert state.counts(JOBS, "tag") == {"y": 2, "x": 1}
    assert state.counts(JOBS, "other") == {}
    assert state.sums(JOBS, ["n", "m", "other"]) == {"n": 2**52 + 3, "m": -4, "other": 0}
    some = EntryFilter(kind="job", terms={"state": ("a",)}, between={"m": (None, 10)})
    assert state.counts(some, "tag") == {"y": 1}
    assert state.sums(some, ["n", "m"]) == {"n": 3, "m": -5}
    assert state.sums(JOBS, []) == {}


def test_a_long_listing_in_pages(state: State) -> None:
    """More entries than the embedded index collects beforehand, and than Elasticsearch lists at once."""
    many = 20_000
    entries = [job(f"{n:05}", "open" if n % 2 else "done", numbers={"n": -n // 3}) for n in range(many)]
    for start in range(0, many, 5000):
        state.put(entries[start : start + 5000])
    state.refresh()
    wanted = EntryFilter(kind="job", terms={"state": ("open",)}, between={"n": (None, 0)})
    expected = [f"{n:05}" for n in range(1, many, 2)]
    assert [entry.id for entry in state.all(wanted)] == expected
    by_number = sorted(expected, key=lambda id: (-int(id) // 3, id))
    assert [entry.id for entry in state.all(wanted, order="n")] == by_number
    assert state.counts(JOBS, "state") == {"open": many // 2, "done": many // 2}
    assert state.sums(JOBS, ["n"]) == {"n": sum(-n // 3 for n in range(many))}


# -- bodies ------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
bodies = st.dictionaries(
    texts,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=15,
    ),
    max_size=5,
)
values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies, id=values, term=values, number=st.integers(-(2**63), 2**63 - 1))
def test_any_entry_comes_back_and_is_found(state: State, body: Any, id: str, term: str, number: int) -> None:
    entry = Entry(kind="any", id=id, terms={"t": (term,)}, numbers={"n": number}, body=body)
    state.delete([entry.ref])
    stored(state, entry)
    assert state.get([entry.ref])[entry.ref] == entry
    upper = number + 1 if number < 2**63 - 1 else None
    wanted = EntryFilter(kind="any", terms={"t": (term,)}, between={"n": (number, upper)})
    assert entry in state.find(wanted, order="n", descending=True).entries
    assert repr(next(each for each in state.all(wanted) if each.id == id).body) == repr(body)


# -- life --------------------------------------------------------------------------------------------------


def test_state_survives_a_rebuild_and_ends_with_the_index(place: Place, rng: np.random.Generator) -> None:
    index = place.create()
    index.put([record("1", rng, vector=random_vector(rng))])
    (before,) = stored(index.state, job("1"))
    rebuilt = rebuild_index(place.location)
    assert rebuilt.state.get([before.ref])[before.ref].version == before.version
    assert rebuilt.state.put([before]) == [before]
    rebuilt.destroy()
    with place.create() as again:
        assert again.state.get([before.ref]) == {}
        assert again.state.find(JOBS).entries == []
        assert again.state.put([job("1")]) == [job("1")]


def test_where_the_index_is_gone_no_state_is_made(place: Place) -> None:
    index, other = place.create(), place.open()
    other.destroy()
    with pytest.raises(IndexNotFound, match=r"facsimile ingest PHOTOS"):
        index.state.put([job("1")])
    assert place.create().state.count(JOBS) == 0


def test_an_index_of_a_similar_name_has_its_own_state(place: Place, place_of: Callable[[str], Place]) -> None:
    kind = "elastic" if place.location.startswith("http") else "embedded"
    neighbour = place_of(kind)
    neighbour.location = f"{place.location}-state"
    index, other = place.create(), neighbour.create()
    stored(index.state, job("1"))
    stored(other.state, job("2"))
    assert (ids(index.state.find(JOBS)), ids(other.state.find(JOBS))) == (["1"], ["2"])
    other.destroy()
    with neighbour.create():
        assert ids(index.state.find(JOBS)) == ["1"]
    index.destroy()
    assert neighbour.open().count() == place.create().count() == 0


def test_a_closed_index_has_closed_its_state(place: Place) -> None:
    index = place.create()
    stored(index.state, job("1"))
    index.close()
    with place.open() as again:
        assert ids(again.state.find(JOBS)) == ["1"]
