"""`search` and `compare` on real photographs, by the same commands on both kinds of index."""

from __future__ import annotations

from pathlib import Path

import pytest

from facsimile.search.evaluation.attacks import attack
from tests.facsimile.conftest import NAMES
from tests.support.shell import Shell

EDITS = ("jpeg_q30", "quarter_size", "gray", "brightness", "noise", "text", "border", "flip", "turn_90")


@pytest.fixture(scope="module")
def edited(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every edit of two photographs."""
    folder = tmp_path_factory.mktemp("edited")
    for name in ("chelsea.png", "rocket.jpg"):
        for edit in EDITS:
            (folder / f"{name}.{edit}.jpg").write_bytes(attack((photographs / name).read_bytes(), edit))
    return folder


def test_edited_copies_of_a_folder_are_found_first_and_called_copies(
    filled: Shell, photographs: Path, edited: Path
) -> None:
    done = filled("search", edited, "--json")
    assert (done.code, done.err) == (0, "")
    assert [answer["query"] for answer in done.lines] == sorted(str(path) for path in edited.iterdir())
    for answer in done.lines:
        assert set(answer) == {"query", "matches", "took_ms"}
        original = Path(answer["query"]).name.rsplit(".", 2)[0]
        first = answer["matches"][0]
        assert (first["source"], first["verdict"]) == (str(photographs / original), "copy"), answer


def test_a_match_tells_what_the_contract_names(filled: Shell, photographs: Path) -> None:
    answer = filled.json("search", photographs / "astronaut.png")
    match = answer["matches"][0]
    assert {"id", "source", "collection", "verdict", "score", "hamming", "cosine", "inliers"} <= set(match)
    assert (match["id"], match["collection"], match["verdict"]) == ("people/Eileen", "people", "identical")
    assert (match["score"], match["hamming"], match["transform"]) == (1.0, 0, None)
    assert match["metadata"] == {"camera": "Nikon"}


def test_a_flip_is_told_and_left_out_on_request(filled: Shell, edited: Path) -> None:
    mirrored = edited / "chelsea.png.flip.jpg"
    (match,) = filled.json("search", mirrored)["matches"]
    assert match["transform"]["orientation"] == "flip-horizontal"
    assert filled.json("search", mirrored, "--upright")["matches"] == []


def test_people_read_a_table_on_stdout_also_in_a_pipe(filled: Shell, edited: Path) -> None:
    done = filled("search", edited / "chelsea.png.flip.jpg")
    assert (done.code, done.err) == (0, "")
    row = next(line for line in done.out.splitlines() if line.startswith("copy"))
    assert "mirrored" in row
    assert row.rstrip().endswith("chelsea.png")


def test_a_query_can_come_from_stdin_and_from_the_index_itself(filled: Shell, edited: Path) -> None:
    picture = (edited / "rocket.jpg.text.jpg").read_bytes()
    answer = filled.json("search", "-", stdin=picture)
    assert answer["query"] == "-"
    found = answer["matches"][0]
    assert found["source"].endswith("rocket.jpg")
    assert filled.json("search", f"id:{found['id']}")["matches"] == [], "a record found itself"


@pytest.mark.parametrize("id", ["people/Eileen", "кошка 1"])
def test_ids_with_slashes_and_beyond_ascii_name_their_records(filled: Shell, id: str) -> None:
    assert filled.json("compare", f"id:{id}", f"id:{id}")["verdict"] == "identical"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--collection", "things"], True),
        (["--collection", "people"], False),
        (["--collection", "people", "--collection", "things"], True),
        (["--filter", "camera=Canon"], True),
        (["--filter", "camera=Nikon"], False),
        (["--filter", "tags=space", "--filter", "camera=Canon"], True),
        (["--probes", "all"], True),
        (["--probes", "0"], True),
    ],
)
def test_a_question_is_narrowed(filled: Shell, edited: Path, options: list[str], found: bool) -> None:
    answer = filled.json("search", edited / "rocket.jpg.jpeg_q30.jpg", *options)
    assert [Path(match["source"]).name for match in answer["matches"]] == ["rocket.jpg"] * found


def test_words_find_titles_and_tags_alone_and_beside_a_picture(filled: Shell, edited: Path) -> None:
    answer = filled.json("search", "--text", "space")
    assert {Path(match["source"]).name for match in answer["matches"]} == {
        *("astronaut.png", "hubble_deep_field.jpg", "rocket.jpg")
    }
    assert {match["verdict"] for match in answer["matches"]} == {"text"}
    answer = filled.json("search", edited / "rocket.jpg.gray.jpg", "--text", "portrait", "--limit", "2")
    verdicts = {Path(match["source"]).name: match["verdict"] for match in answer["matches"]}
    assert verdicts.pop("rocket.jpg") == "copy"
    assert list(verdicts.values()) == ["text"]


def test_compare_shows_every_distance_of_two_files(embedded: Shell, photographs: Path, edited: Path) -> None:
    cat = photographs / "chelsea.png"
    same = embedded.json("compare", cat, cat)
    assert (same["verdict"], same["same_bytes"], same["hamming"]) == ("identical", True, 0)
    mirrored = embedded.json("compare", cat, edited / "chelsea.png.flip.jpg")
    assert (mirrored["verdict"], mirrored["same_pixels"]) == ("copy", False)
    assert mirrored["hamming"] < 10 < mirrored["hamming_upright"]
    assert mirrored["transform"]["orientation"] == "flip-horizontal"
    other = embedded.json("compare", cat, photographs / "rocket.jpg")
    assert (other["verdict"], other["transform"]) == ("different", None)
    assert "verdict        different" in embedded("compare", cat, photographs / "rocket.jpg").out


def test_compare_takes_stored_pictures(filled: Shell, edited: Path) -> None:
    compared = filled.json("compare", "id:кошка 1", edited / "chelsea.png.border.jpg")
    assert compared["verdict"] == "copy"
    assert compared["hamming_trimmed"] < compared["hamming_upright"]


def test_counts_and_status(filled: Shell) -> None:
    assert filled.count == len(NAMES)
    assert filled.json("count", "--collection", "things") == {"count": 3}
    status = filled.json("status")
    assert status["index"]["count"] == len(NAMES)
    assert status["index"]["collections"] == {"animals": 1, "people": 1, "things": 3}
    assert status["index"]["healthy"]
    assert filled.json("index", "info") == status["index"]
    assert "images      5" in filled("status").out


def test_an_id_of_several_collections_is_an_error_that_names_them(facsimile, photos):
    for name in ("one", "two"):
        facsimile("ingest", photos / "chelsea.png", "--collection", name)
    shown = facsimile.json("search", photos / "chelsea.png")["matches"]
    found = facsimile("search", f"id:{shown[0]['id']}")
    assert found.code == 1
    assert "is in several collections: one, two" in found.err
    found = facsimile("compare", f"id:{shown[0]['id']}", photos / "chelsea.png")
    assert found.code == 2
    assert "is in several collections: one, two" in found.err
    found = facsimile("remove", shown[0]["id"])
    assert found.code == 2
    assert "is in several collections: one, two" in found.err
    assert facsimile.json("remove", shown[0]["id"], "--collection", "two") == {"removed": 1}
