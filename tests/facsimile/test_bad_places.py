"""Places that hold no index, or one that cannot serve; settings and files of results that cannot be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import elasticsearch
import pytest

from facsimile.imaging.phash import HASH_VERSION
from tests.support.shell import Shell, unprivileged

ASKING = (["count"], ["search", "--text", "x"], ["duplicates"], ["status"], ["export", "out.jsonl"])


@pytest.mark.parametrize("command", ASKING, ids=lambda command: command[0])
def test_asking_where_no_index_is(embedded: Shell, command: list[str]) -> None:
    done = embedded(*command)
    assert (done.code, done.out) == (2, "")
    assert "there is no index in" in done.complaint
    assert "facsimile ingest PHOTOS" in done.complaint


def test_asking_a_server_that_has_no_such_index(elastic: Shell) -> None:
    done = elastic("count", "--json")
    assert (done.code, done.out) == (2, "")
    assert done.complaint.startswith(f"there is no index {elastic.index}")


@pytest.mark.parametrize(
    "place",
    [
        *("ftp://host/photos", "http://127.0.0.1:9200", "http://127.0.0.1:9200/", "https://[::1/x"),
        *("http://127.0.0.1:9200/UPPER", "http://127.0.0.1:999999/x", "http://127.0.0.1:9200/x-v2"),
    ],
)
def test_a_wrong_place_is_a_fault_of_usage(embedded: Shell, place: str) -> None:
    done = embedded.on(place)("count")
    assert (done.code, done.out) == (2, "")
    assert done.complaint


def test_a_password_in_the_place_is_refused_and_not_repeated(embedded: Shell) -> None:
    done = embedded.on("http://user:secret@127.0.0.1:1/x")("count")
    assert done.code == 2
    assert "secret" not in done.complaint


@pytest.mark.parametrize("command", [["count"], ["search", "--text", "x"], ["ingest", "photos"]])
def test_a_server_that_is_down_is_told_at_once(embedded: Shell, photos: Path, command: list[str]) -> None:
    done = embedded.on("http://127.0.0.1:1/x")(*command, "--json")
    assert (done.code, done.out) == (3, "")
    assert done.complaint == "cannot reach http://127.0.0.1:1: is it running, and is the address right?"


def test_a_file_is_no_place_for_an_index(embedded: Shell, photos: Path) -> None:
    done = embedded.on(photos / "coffee.png")("ingest", photos)
    assert (done.code, done.complaint) == (2, f"{photos / 'coffee.png'} is no folder, and an index needs one")


def test_a_damaged_database_is_told(embedded: Shell, photos: Path) -> None:
    folder = Path(embedded.index)
    folder.mkdir()
    (folder / "records.sqlite").write_bytes(b"no database" * 1000)
    done = embedded("count")
    assert done.code == 1
    assert "is damaged" in done.complaint


def test_an_index_of_other_signatures_is_refused_and_untouched(facsimile: Shell, photos: Path) -> None:
    facsimile.json("ingest", photos / "coffee.png")
    relabel(facsimile.index, "phash256-0")
    for command in (["count"], ["ingest", photos], ["search", photos / "coffee.png"], ["index", "info"]):
        done = facsimile(*command)
        assert (done.code, done.out) == (2, "")
        assert "phash256-0" in done.complaint
    relabel(facsimile.index, HASH_VERSION)
    assert facsimile.count == 1


def relabel(place: str, hash: str) -> None:
    """Make an index say that another version made it."""
    if place.startswith("http"):
        server, name = place.rsplit("/", 1)
        with elasticsearch.Elasticsearch(server) as client:
            meta = client.indices.get_mapping(index=name).body[f"{name}-v1"]["mappings"]["_meta"]
            meta["facsimile"]["hash"] = hash
            client.indices.put_mapping(index=name, meta=meta)
        return
    with closing(sqlite3.connect(Path(place) / "records.sqlite")) as connection, connection:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'hash'", (hash,))


def test_a_foreign_index_on_the_server_is_left_alone(elastic: Shell, photos: Path) -> None:
    server, name = elastic.index.rsplit("/", 1)
    with elasticsearch.Elasticsearch(server) as client:
        client.indices.create(index=name)
        try:
            done = elastic("ingest", photos)
            assert done.code == 2
            assert "is no index of Facsimile" in done.complaint
            assert client.count(index=name)["count"] == 0
        finally:
            client.indices.delete(index=name)


@contextmanager
def read_only(place: str, block: str) -> Iterator[None]:
    """An index that takes no writes."""
    if place.startswith("http"):
        server, name = place.rsplit("/", 1)
        with elasticsearch.Elasticsearch(server) as client:
            client.indices.put_settings(index=name, settings={f"index.blocks.{block}": True})
            yield
            client.indices.put_settings(index=name, settings={f"index.blocks.{block}": None})
        return
    files = [Path(place), *Path(place).iterdir()]
    for path in files:
        path.chmod(0o500 if path.is_dir() else 0o400)
    yield
    for path in files:
        path.chmod(0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize("block", ["write", "read_only", "read_only_allow_delete"])
def test_a_server_that_takes_no_writes_loses_nothing(elastic: Shell, photos: Path, block: str) -> None:
    check_read_only(elastic, photos, block)


def test_a_folder_that_takes_no_writes_loses_nothing(embedded: Shell, photos: Path) -> None:
    check_read_only(embedded, photos, "")


def check_read_only(shell: Shell, photos: Path, block: str) -> None:
    shell.json("ingest", photos / "coffee.png")
    with read_only(shell.index, block):
        done = shell("ingest", photos, "--json", prefix=unprivileged())
        assert (done.code, done.out) == (3, "")
        assert done.complaint
    assert shell.json("ingest", photos)["added"] == 4
    assert shell.count == 5


def test_a_full_disk_keeps_what_was_there_and_the_next_run_goes_on(embedded: Shell, photos: Path) -> None:
    embedded.json("ingest", photos / "coffee.png")
    done = embedded("ingest", photos, "--json", prefix=("prlimit", "--fsize=100000"))
    assert (done.code, done.out) != (0, "")
    assert done.complaint
    assert embedded.count == 1
    assert embedded.json("ingest", photos)["added"] == 4
    file = embedded.folder / "out.jsonl"
    done = embedded("export", file, prefix=("prlimit", "--fsize=40000"))
    assert (done.code, done.out) == (1, "")
    assert "File too large" in done.complaint
    assert not list(embedded.folder.glob("out.jsonl*"))


@pytest.mark.parametrize(
    "command",
    [
        ["search", "--text", "cup", "--html"],
        ["duplicates", "--html"],
        ["export"],
        ["ingest", "photos", "--failures"],
    ],
    ids=lambda command: command[0],
)
def test_results_that_cannot_be_written_are_told_before_the_work(
    embedded: Shell, photos: Path, command: list[str]
) -> None:
    embedded.json("index", "create")
    locked = embedded.folder / "locked"
    locked.mkdir(mode=0o500)
    for file, sentence in (
        ("gone/out", "there is no folder gone"),
        ("photos", "photos is a folder"),
        (locked / "out", f"the folder {locked} is not writable"),
    ):
        done = embedded(*command, file, prefix=unprivileged())
        assert (done.code, done.out, done.complaint) == (2, "", sentence)
    assert embedded.count == 0


@pytest.mark.parametrize(
    "command",
    [["search", "--text", "x"], ["duplicates"], ["export", "out.jsonl"], ["remove"]],
    ids=lambda c: c[0],
)
def test_a_collection_that_is_not_there_is_told(filled: Shell, command: list[str]) -> None:
    done = filled(*command, "--collection", "poeple", "--json")
    assert (done.code, done.out) == (2, "")
    assert done.complaint == f"there is no collection poeple in {filled.index}"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--filter", "camera"], "--filter takes KEY=VALUE, not 'camera'"),
        (["--limit", "0"], "limit must be 1 to 1000, not 0"),
        (["--probes", "many"], "probes must be 0 to 3 or 'all', not 'many'"),
    ],
)
def test_a_question_that_makes_no_sense_is_told(filled: Shell, options: list[str], sentence: str) -> None:
    done = filled("search", "--text", "x", *options)
    assert (done.code, done.out, done.complaint) == (2, "", sentence)


def test_commands_without_their_arguments_and_wrong_options_are_faults_of_usage(embedded: Shell) -> None:
    for command in (["search"], ["remove"], ["ingest"], ["count", "--bogus"], ["frobnicate"]):
        done = embedded(*command)
        assert (done.code, done.out) == (2, "")
        assert done.err


@pytest.mark.parametrize("options", [(), ("--queue",)], ids=["here", "by the queue"])
def test_a_name_that_no_collection_can_have_is_refused_before_anything_is_read(
    facsimile: Shell, tmp_path: Path, options: tuple[str, ...]
) -> None:
    done = facsimile("ingest", tmp_path / "not there", "-c", "my photos", *options)
    assert (done.code, done.out) == (2, "")
    assert "'my photos' is no name for a collection" in done.complaint
    assert facsimile("count").code == 2  # no index was made
    suspects = facsimile("scan", tmp_path / "not there", "--suspects-collection", "a/b")
    assert suspects.code == 2
    assert "'a/b' is no name for a collection" in suspects.complaint
