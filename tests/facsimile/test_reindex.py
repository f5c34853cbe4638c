"""`index reindex`: another model, another version, an interruption, sources that are gone."""

from __future__ import annotations

import sqlite3
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import elasticsearch
import pytest
from PIL import Image

from tests.facsimile.conftest import NAMES, page
from tests.support.shell import Shell

PICTURES = 300

# runs the command that follows; Ctrl-C comes with its second batch of pictures
INTERRUPTED = (
    sys.executable,
    "-c",
    """
import os, signal, sys
from facsimile.cli import main
from facsimile.ingest.recompute import Redescriber
whole, calls = Redescriber.__call__, []
def interrupted(self, records):
    calls.append(records)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGINT)
    return whole(self, records)
Redescriber.__call__ = interrupted
sys.argv = sys.argv[3:]
main()
""",
)


@pytest.fixture
def plain(facsimile: Shell, photos: Path) -> Shell:
    """The command line on an index of the photographs that keeps hashes alone."""
    assert facsimile.json("index", "create", "--model", "none")["model"] is None
    assert facsimile.json("ingest", photos)["added"] == len(NAMES)
    return facsimile


def sources_of(told: Any) -> dict[str, int]:
    return {name: told[name] for name in ("from_sources", "from_thumbnails", "kept", "without")}


def all_from(what: str) -> dict[str, int]:
    none = dict.fromkeys(("from_sources", "from_thumbnails", "kept", "without"), 0)
    return none | {what: len(NAMES)}


def best(facsimile: Shell, image: Path) -> Any:
    return facsimile.json("search", image)["matches"][0]


def test_another_model_and_back(plain: Shell, photos: Path) -> None:
    coffee = photos / "coffee.png"
    assert best(plain, coffee)["cosine"] is None
    told = plain.json("index", "reindex", "--model", "facsimile")
    assert told["model"].startswith("facsimile-")
    assert (told["count"], sources_of(told)) == (len(NAMES), all_from("from_sources"))
    assert best(plain, coffee)["cosine"] == pytest.approx(1, abs=0.001)
    assert plain.json("ingest", photos)["unchanged"] == len(NAMES)

    told = plain.json("index", "reindex")
    assert (told["model"][:10], sources_of(told)) == ("facsimile-", all_from("kept"))

    told = plain.json("index", "reindex", "--model", "none")
    assert (told["model"], sources_of(told)) == (None, all_from("kept"))
    assert best(plain, coffee)["cosine"] is None


def test_thumbnails_serve_where_the_pictures_are_gone(plain: Shell, photos: Path) -> None:
    moved = photos.rename(photos.with_name("moved"))
    told = plain.json("index", "reindex", "--model", "facsimile")
    assert sources_of(told) == all_from("from_thumbnails")
    found = best(plain, moved / "coffee.png")
    assert (found["verdict"], found["hamming"]) == ("identical", 0)
    assert 0.9 < found["cosine"] <= 1


@pytest.mark.parametrize("old", [{"hash": "phash256-0"}, {"model": "facsimile-0", "dims": 4}], ids=str)
def test_an_index_of_an_older_version_is_brought_to_the_present(
    plain: Shell, photos: Path, old: dict[str, Any]
) -> None:
    relabel(plain.index, old)
    refused = plain("search", photos / "coffee.png")
    assert refused.code == 2
    assert "facsimile index reindex" in refused.complaint
    told = plain.json("index", "reindex")
    assert told["hash"] != "phash256-0"
    assert sources_of(told) == all_from("from_sources")
    assert best(plain, photos / "coffee.png")["verdict"] == "identical"


def test_an_index_of_an_earlier_layout_gets_the_panels_of_its_pages(plain: Shell, photos: Path) -> None:
    page(photos / "page.png", photos)
    plain.json("ingest", photos / "page.png")
    forget_panels(plain.index)
    relabel(plain.index, {"layout": 1})
    refused = plain("search", photos / "chelsea.png")
    assert (refused.code, "`facsimile index reindex` builds it anew" in refused.complaint) == (2, True)
    told = plain.json("index", "reindex")
    assert (told["count"], told["from_sources"]) == (len(NAMES) + 1, len(NAMES) + 1)
    matches = plain.json("search", photos / "chelsea.png")["matches"]
    found = {Path(match["source"]).name: match for match in matches}
    assert found["chelsea.png"]["verdict"] == "identical"
    assert found["page.png"]["verdict"] == "copy" and found["page.png"]["transform"]["cut_out"] is True


def test_an_index_of_layout_2_gets_digests_of_the_whole_content(plain: Shell, photos: Path) -> None:
    cover = Image.open(photos / "coffee.png").convert("RGB").resize((300, 200))
    pages = {"contract": "navy", "invoice": "green"}
    for name, colour in pages.items():
        page = Image.new("RGB", cover.size, colour)
        cover.copy().save(photos / f"{name}.tif", save_all=True, append_images=[page])
    plain.json("ingest", photos)
    forget_pixels(plain.index)
    relabel(plain.index, {"layout": 2})
    refused = plain("search", photos / "contract.tif")
    assert (refused.code, "`facsimile index reindex` builds it anew" in refused.complaint) == (2, True)
    (photos / "gone").mkdir()
    (photos / "rocket.jpg").rename(photos / "gone" / "rocket.jpg")
    told = plain.json("index", "reindex")
    assert (told["from_sources"], told["from_thumbnails"]) == (len(NAMES) + len(pages) - 1, 1)
    found = plain.json("search", photos / "contract.tif")["matches"]
    verdicts = {Path(match["source"]).name: match["verdict"] for match in found}
    notes = {Path(match["source"]).name: match["note"] for match in found}
    assert (verdicts["invoice.tif"], notes["invoice.tif"]) == ("similar", "first page alike")
    assert verdicts.pop("contract.tif") == "identical" and "identical" not in verdicts.values()
    Image.open(photos / "coffee.png").save(photos / "coffee.bmp")
    assert best(plain, photos / "coffee.bmp")["verdict"] == "identical"
    assert best(plain, photos / "gone" / "rocket.jpg")["verdict"] == "identical", "by its bytes"


def test_an_index_is_optimized_and_found_in_as_before(plain: Shell, photos: Path) -> None:
    told = plain.json("index", "optimize")
    assert told["location"] == plain.index
    assert told["segments_before"] >= told["segments"] >= 1
    assert best(plain, photos / "coffee.png")["verdict"] == "identical"
    missing = plain.on(plain.index.rstrip("/") + "-elsewhere")("index", "optimize")
    assert (missing.code, "no index" in missing.complaint) == (2, True)


def test_what_is_not_there_or_not_known_is_told(plain: Shell) -> None:
    unknown = plain("index", "reindex", "--model", "nonesuch")
    assert (unknown.code, "no model 'nonesuch'" in unknown.complaint) == (2, True)
    elsewhere = plain.index.rstrip("/") + "-elsewhere"
    missing = plain.on(elsewhere)("index", "reindex", "--model", "facsimile")
    assert (missing.code, "no index" in missing.complaint) == (2, True)


def test_after_ctrl_c_the_next_run_goes_on(facsimile: Shell, photographs: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    small = BytesIO()
    Image.open(photographs / "rocket.jpg").resize((96, 64)).save(small, "JPEG")
    for number in range(PICTURES):
        (many / f"{number:03}.jpg").write_bytes(small.getvalue() + number.to_bytes(2, "big"))
    facsimile.json("index", "create", "--model", "none")
    assert facsimile.json("ingest", many)["added"] == PICTURES

    done = facsimile("index", "reindex", "--model", "facsimile", prefix=INTERRUPTED)
    assert (done.code, done.out) == (130, "")
    assert done.complaint == "interrupted; run the same command again to continue"
    assert facsimile.json("index", "info")["model"] is None
    assert best(facsimile, many / "000.jpg")["verdict"] == "identical"

    told = facsimile.json("index", "reindex", "--model", "facsimile")
    assert 0 < told["from_sources"] < PICTURES
    assert (told["count"], told["model"][:10]) == (PICTURES, "facsimile-")


def forget_panels(place: str) -> None:
    """Take the panels out of all records."""
    if not place.startswith("http"):
        with sqlite3.connect(Path(place) / "records.sqlite") as connection:
            connection.execute("UPDATE records SET panels = x''")
        connection.close()
        return
    change_all(place, {"panels": []})


def forget_pixels(place: str) -> None:
    """Give all records one digest, as if the earlier layout could not tell them apart."""
    if not place.startswith("http"):
        with sqlite3.connect(Path(place) / "records.sqlite") as connection:
            connection.execute("UPDATE records SET pixels = ?", ("0" * 64,))
        connection.close()
        return
    change_all(place, {"pixels": "0" * 64})


def change_all(place: str, changes: dict[str, Any]) -> None:
    """Change all documents; an update keeps nothing that lies outside of the source."""
    server, name = place.rsplit("/", 1)
    with elasticsearch.Elasticsearch(server) as client:
        found = client.search(index=name, query={"match_all": {}}, size=100, stored_fields=["thumbnail"])
        for hit in found["hits"]["hits"]:
            (thumbnail,) = hit["fields"]["thumbnail"]
            doc = {"thumbnail": thumbnail, **changes}
            client.update(index=name, id=hit["_id"], doc=doc, refresh=True)


def relabel(place: str, changes: dict[str, Any]) -> None:
    """Make an index say that it keeps other signatures."""
    if not place.startswith("http"):
        with sqlite3.connect(Path(place) / "records.sqlite") as connection:
            for name, value in changes.items():
                connection.execute("UPDATE meta SET value = ? WHERE name = ?", (value, name))
        connection.close()
        return
    server, name = place.rsplit("/", 1)
    with elasticsearch.Elasticsearch(server) as client:
        meta = client.indices.get_mapping(index=name).body[f"{name}-v1"]["mappings"]["_meta"]
        meta["facsimile"].update(changes)
        client.indices.put_mapping(index=name, meta=meta)
