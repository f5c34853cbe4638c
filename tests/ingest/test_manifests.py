"""Lists of images in four formats, with broken rows among good ones."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facsimile.imaging.errors import BrokenImage
from facsimile.imaging.record import WebPage
from facsimile.ingest.errors import FetchUnavailable, ManifestError
from facsimile.ingest.failures import FailureList
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.sources import items
from facsimile.search.index.base import Status


def read(path: Path, content: bytes | str) -> tuple[list[Item], list[str]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = list(items(str(path), collection="c"))
    good = [each for each in found if isinstance(each, Item)]
    return good, [each.reason for each in found if isinstance(each, Outcome)]


def test_text(tmp_path: Path) -> None:
    good, bad = read(
        tmp_path / "list.txt",
        b"\xef\xbb\xbf# owned\na.jpg\n\n  sub/b c.jpg  \r\nhttps://example.org/d.jpg#x\n\xff\xfe.jpg\n/abs/e.jpg",
    )
    folder = str(tmp_path)
    places = [f"{folder}/a.jpg", f"{folder}/sub/b c.jpg", "https://example.org/d.jpg#x", "/abs/e.jpg"]
    assert [item.source for item in good] == places
    assert bad == [f"{folder}/list.txt, line 6: not UTF-8 text"]


def test_csv(tmp_path: Path) -> None:
    good, bad = read(
        tmp_path / "list.csv",
        "\ufeffurl,id,title,tags,author,year\n"
        "a.jpg,кіт/1,A cat,pets; felines|cute,Ann,1999\n"
        ",2,no source,,,\n"
        "b.jpg,3,one,two,three,four,five,six\n"
        '"c, with comma.jpg",,"line\nbreak",,,\n'
        "\n",
    )
    assert good == [
        Item(
            f"{tmp_path}/a.jpg",
            id="кіт/1",
            collection="c",
            title="A cat",
            tags=("pets", "felines", "cute"),
            metadata={"author": "Ann", "year": "1999"},
        ),
        Item(f"{tmp_path}/c, with comma.jpg", collection="c", title="line\nbreak"),
    ]
    assert [reason.partition(", ")[2] for reason in bad] == [
        "line 3: no source",
        "line 4: 8 cells under 6 columns",
    ]


def test_pages_of_rows(tmp_path: Path) -> None:
    seen = datetime(2026, 3, 1, 12, tzinfo=UTC)
    good, bad = read(
        tmp_path / "list.jsonl",
        '{"url": "https://a.example/1.jpg", "page": "https://a.example/", "page_title": "A",'
        ' "page_text": "a lamp", "page_seen_at": "2026-03-01T12:00:00Z", "shop": 7}\n'
        '{"url": "https://a.example/2.jpg", "pages": ["https://b.example/x", {"url": "https://c.example/"}]}\n'
        '{"url": "https://a.example/3.jpg", "page": 12}\n'
        '{"url": "https://a.example/4.jpg", "pages": ["b.example"]}\n'
        '{"url": "https://a.example/5.jpg", "page": "https://a.example/", "page_seen_at": "yesterday"}\n',
    )
    assert [(item.pages, item.metadata) for item in good] == [
        ((WebPage(url="https://a.example/", title="A", text="a lamp", seen_at=seen),), {"shop": 7}),
        ((WebPage(url="https://b.example/x"), WebPage(url="https://c.example/")), {}),
        ((), {"page": 12}),
    ]
    assert "a page is a web address, or an object with its `url`, not 'b.example'" in bad[0]
    assert "the time at which a page was seen is not in ISO 8601" in bad[1]


def test_csv_of_other_habits(tmp_path: Path) -> None:
    good, bad = read(tmp_path / "list.csv", b"source;title\na.jpg;caf\xe9\nb.jpg;x, y\n")
    assert [item.title for item in good] == ["x, y"]
    assert ["line 2" in reason and "UTF-8" in reason for reason in bad] == [True]


def test_csv_without_a_column_of_sources_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="`source` or `url`"):
        read(tmp_path / "list.csv", "name,age\nx,3\n")


def test_json_lines(tmp_path: Path) -> None:
    rows = [
        b'{"source":"a.jpg","id":7,"tags":["x","y"],"camera":{"model":"M"},"metadata":{"k":[1]}}',
        b"{broken",
        b"[1]",
        b'{"title":"nowhere"}',
        b'{"url":"b.jpg","reason":"mine"}',
        b'{"source":"' + b"x" * 2_000_000 + b'"}',
        b'{"source":"last.jpg","collection":"other"}',
    ]
    good, bad = read(tmp_path / "list.jsonl", b"\n".join(rows))
    assert good == [
        Item(
            f"{tmp_path}/a.jpg",
            id="7",
            collection="c",
            tags=("x", "y"),
            metadata={"camera": {"model": "M"}, "k": [1]},
        ),
        Item(f"{tmp_path}/b.jpg", collection="c", metadata={"reason": "mine"}),
        Item(f"{tmp_path}/last.jpg", collection="other"),
    ]
    assert [reason.split(", ")[1][:6] for reason in bad] == ["line 2", "line 3", "line 4", "line 6"]


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table(
        {
            "url": ["a.jpg", None, "b.jpg"],
            "id": [1, 2, None],
            "tags": [["x"], None, []],
            "day": [date(2020, 1, 2)] * 3,
            "picture": [b"\xff\xd8"] * 3,
        }
    )
    parquet.write_table(table, tmp_path / "list.parquet")
    found = list(items(str(tmp_path / "list.parquet")))
    assert found[0] == Item(f"{tmp_path}/a.jpg", id="1", tags=("x",), metadata={"day": "2020-01-02"})
    assert isinstance(found[1], Outcome)
    assert "row 2: no source" in found[1].reason
    assert found[2] == Item(f"{tmp_path}/b.jpg", metadata={"day": "2020-01-02"})
    with pytest.raises(ManifestError, match="Parquet"):
        read(tmp_path / "bad.parquet", b"PAR1 but not really PAR1")


def test_parquet_without_its_library_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ManifestError, match=r"pip install 'facsimile\[parquet\]'"):
        read(tmp_path / "list.parquet", b"")


def test_a_list_of_failures_is_a_list_of_images(tmp_path: Path) -> None:
    item = Item("/a/line\nbreak.jpg", "id/1", "c", "A title", ("x;y", "z"), {"reason": "mine", "n": 1})
    failed = Outcome(item, Status.FAILED, "the file is cut short", BrokenImage)
    path = tmp_path / "failures.jsonl"
    with FailureList(path) as failures:
        failures.add(failed)
        assert (tmp_path / "failures.jsonl.part").read_bytes().count(b"\n") == 1
    assert orjson.loads(path.read_bytes())["reason"] == "the file is cut short"
    assert list(items(str(path))) == [item]


def test_a_run_may_read_the_list_that_it_writes_anew(tmp_path: Path) -> None:
    path = tmp_path / "failures.jsonl"
    for _ in range(2):
        with FailureList(path) as failures:
            known = list(items(str(path))) if path.exists() else [Item("/a.jpg")]
            for each in known:
                assert isinstance(each, Item)
                failures.add(Outcome(each, Status.FAILED, "still", BrokenImage))
    assert list(items(str(path))) == [Item("/a.jpg")]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1),
    words=st.text(),
    tags=st.lists(st.text().map(str.strip).filter(bool), max_size=3),
    metadata=st.dictionaries(st.text(), JSON, max_size=3),
)
def test_whatever_failed_comes_back_as_it_was(
    tmp_path: Path, text: str, words: str, tags: list[str], metadata: dict[str, object]
) -> None:
    pages = (WebPage(url="https://example.org/", title=words),)
    item = Item(f"https://example.org/{text}", text, "c", words, tuple(tags), metadata, pages)
    with FailureList(tmp_path / "f.jsonl") as failures:
        failures.add(Outcome(item, Status.FAILED, "x", FetchUnavailable))
    assert list(items(str(tmp_path / "f.jsonl"))) == [item]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    head=st.sampled_from([b"", b"source,id\n", b'{"source":']),
    content=st.binary(max_size=300) | st.text('a",;\n\r\0\\{}:').map(str.encode),
    suffix=st.sampled_from([".txt", ".csv", ".jsonl", ".parquet"]),
)
def test_no_content_whatever_ends_in_an_error_of_another_kind(
    tmp_path: Path, head: bytes, content: bytes, suffix: str
) -> None:
    from facsimile.imaging.errors import FacsimileError

    (tmp_path / f"list{suffix}").write_bytes(head + content)
    try:
        list(items(str(tmp_path / f"list{suffix}")))
    except FacsimileError as error:
        assert str(error)
