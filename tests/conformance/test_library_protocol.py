"""The operations that the library and the HTTP client share: one suite over both."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import facsimile
from facsimile.api.schemas import fields as schemas
from facsimile.protocol import Library
from facsimile.search.evaluation.attacks import attack
from tests.support.api_server import Running
from tests.support.pictures import photo_jpeg

SETTINGS = facsimile.Settings(model="none")


@dataclasses.dataclass
class Place:
    """An index, opened here or served, and its library in this process."""

    library: facsimile.Library
    local: facsimile.Facsimile


@pytest.fixture(params=["library", "client"])
def place(request: pytest.FixtureRequest, start: Callable[..., Running], tmp_path: Path) -> Any:
    """A library and a client of the same kind of index."""
    location = str(tmp_path / "index")
    with facsimile.open(location, settings=SETTINGS) as local:
        if request.param == "library":
            yield Place(local, local)
            return
        with facsimile.Client(start(location).url) as client:
            yield Place(client, local)


@pytest.fixture
def library(place: Place) -> facsimile.Library:
    return place.library


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of three photographs and a broken one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(photo_jpeg(number, 400))
    (folder / "broken.jpg").write_bytes(photo_jpeg()[:900])
    return folder


def operations() -> list[str]:
    return [
        name
        for name, value in vars(Library).items()
        if inspect.isfunction(value) and not name.startswith("_")
    ]


@pytest.mark.parametrize("name", operations())
def test_signatures_agree(name: str) -> None:
    shared = inspect.signature(getattr(Library, name))
    for kind in (facsimile.Facsimile, facsimile.Client, facsimile.AsyncClient):
        own = inspect.signature(getattr(kind, name))
        for parameter in shared.parameters.values():
            assert own.parameters[parameter.name].kind == parameter.kind
            assert own.parameters[parameter.name].default == parameter.default
            assert own.parameters[parameter.name].annotation == parameter.annotation
        assert inspect.getdoc(getattr(kind, name))


def test_a_folder_is_ingested_and_an_edited_copy_found(library: facsimile.Library, photos: Path) -> None:
    outcomes: list[facsimile.Outcome] = []
    tally = library.ingest(photos, collection="shop", on_outcome=outcomes.append)
    assert (tally.added, tally.failed) == (3, 1)
    assert sorted(one.error for one in outcomes) == ["", "", "", "BrokenImage"]
    assert library.ingest(photos, collection="shop").unchanged == 3
    copy = attack(photo_jpeg(0, 400), "flip")
    (match,) = library.search(copy, collections=["shop"])
    assert isinstance(match, facsimile.Match)
    assert isinstance(match.record, facsimile.Record)
    assert (match.verdict, match.edit, match.record.source) == ("copy", "mirrored", str(photos / "0.jpg"))
    assert (match.record.width, match.record.height, match.record.format) == (400, 400, "JPEG")
    assert match.proof is not None and match.proof.transformation.mirrored
    assert library.search(copy, collections=["other"]) == []


def test_one_image_is_added_read_found_by_text_and_deleted(library: facsimile.Library) -> None:
    stored = library.add(
        photo_jpeg(0), id="a/ü", collection="one", title="A harbour", tags=["sea"], metadata={"year": 1969}
    )
    assert stored == facsimile.Stored(id="a/ü", collection="one", status="added")
    assert library.add(photo_jpeg(0), id="a/ü", collection="one").status == "unchanged"
    record = library.get("a/ü")
    assert (record.title, record.tags, record.metadata) == ("A harbour", ("sea",), {"year": 1969})
    assert (record.key, record.source, record.sources) == (("one", "a/ü"), "", ())
    assert datetime.now(UTC) >= record.added_at
    assert library.thumbnail("a/ü")[:2] == b"\xff\xd8"
    (found,) = library.search(text="harbour", filter={"year": ["1969", "1970"]})
    assert (found.verdict, found.record.id) == ("text", "a/ü")
    assert library.search(text="harbour", filter={"year": "1970"}) == []
    library.delete("a/ü")
    with pytest.raises(facsimile.RecordNotFound):
        library.delete("a/ü")
    assert library.count() == 0


def test_without_an_id_an_image_is_named_by_its_bytes(library: facsimile.Library, photos: Path) -> None:
    stored = library.add(photos / "0.jpg")
    assert library.get(stored.id).sha256 == stored.id
    assert (stored.collection, library.get(stored.id).format) == ("default", "JPEG")


def test_a_stored_image_does_not_find_itself(library: facsimile.Library) -> None:
    library.add(photo_jpeg(0), id="a")
    library.add(attack(photo_jpeg(0), "jpeg_q10"), id="b")
    assert [match.record.id for match in library.search("id:a", limit=1)] == ["b"]
    assert library.search("id:a", min_score=1) == []


def test_an_id_of_several_collections_is_ambiguous_until_one_is_named(library: facsimile.Library) -> None:
    for name in ("one", "two"):
        library.add(photo_jpeg(0), id="a", collection=name)
    calls: list[Callable[[], object]] = [
        lambda: library.get("a"),
        lambda: library.thumbnail("a"),
        lambda: library.search("id:a"),
        lambda: library.compare("id:a", photo_jpeg(0)),
        lambda: library.delete("a"),
        lambda: library.remove("a"),
    ]
    for call in calls:
        with pytest.raises(facsimile.AmbiguousId, match="one, two") as raised:
            call()
        assert raised.value.collections == ("one", "two")
    assert library.get("a", collection="two").collection == "two"
    assert library.remove("a", collection="one") == 1
    assert library.remove("a", "nobody") == 1


def test_images_are_listed_counted_and_removed_by_collection(library: facsimile.Library) -> None:
    for number, name in enumerate(("one", "one", "two")):
        library.add(photo_jpeg(number), id=f"{number}", collection=name, metadata={"n": number})
    assert library.collections() == {"one": 2, "two": 1}
    assert (library.count(), library.count(collection="one"), library.count(collection="none")) == (3, 2, 0)
    assert [each.key for each in library.images()] == [("one", "0"), ("one", "1"), ("two", "2")]
    assert [each.id for each in library.images(filter={"n": ["1", "2"]}, collections=["one"])] == ["1"]
    assert (library.remove(collection="one"), library.remove(collection="one")) == (2, 0)
    with pytest.raises(facsimile.InvalidRequest, match="collection"):
        library.remove()
    assert library.count() == 1


def test_several_images_are_searched_for_each_with_its_error(library: facsimile.Library) -> None:
    library.add(photo_jpeg(0), id="a")
    params = facsimile.SearchParams(limit=1, verify=False)
    found, missing, broken = library.search_many([photo_jpeg(0), "id:b", b"no picture"], params)
    assert not isinstance(found, facsimile.FacsimileError)
    assert [match.record.id for match in found] == ["a"]
    assert isinstance(missing, facsimile.RecordNotFound)
    assert isinstance(broken, facsimile.NotAnImage)


def test_two_images_are_compared(library: facsimile.Library) -> None:
    compared = library.compare(photo_jpeg(0), attack(photo_jpeg(0), "flip"))
    assert isinstance(compared, facsimile.Comparison)
    assert (compared.verdict, compared.same_bytes) == ("copy", False)
    assert compared.proof is not None and compared.proof.transformation.mirrored
    assert library.compare(photo_jpeg(0), photo_jpeg(1)).verdict == "different"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"limit": 0}, "limit"),
        ({"mode": "nothing"}, "mode"),
        ({"orientations": ["upside-down"]}, "orientation"),
        ({"probes": 4}, "probes"),
        ({"min_score": 2}, "min_score"),
    ],
)
def test_an_invalid_option_is_named(library: facsimile.Library, options: dict[str, Any], named: str) -> None:
    with pytest.raises(facsimile.InvalidRequest, match=named):
        library.search(photo_jpeg(0), **options)
    with pytest.raises(facsimile.InvalidRequest, match=named):
        facsimile.SearchParams(**options)


def test_errors_have_the_same_classes(library: facsimile.Library, tmp_path: Path) -> None:
    calls: dict[type[facsimile.FacsimileError], Callable[[], object]] = {
        facsimile.BrokenImage: lambda: library.search(photo_jpeg()[:900]),
        facsimile.EmptyImage: lambda: library.add(b""),
        facsimile.SourceNotFound: lambda: library.search(tmp_path / "nothing.jpg"),
        facsimile.SourceNotAllowed: lambda: library.search("http://127.0.0.1/x.jpg"),
        facsimile.RecordNotFound: lambda: library.get("nobody"),
        facsimile.JobNotFound: lambda: library.job("nobody"),
        facsimile.ScanNotFound: lambda: list(library.findings("nothing")),
        facsimile.FindingNotFound: lambda: library.review("nothing", state="confirmed"),
    }
    for error, call in calls.items():
        with pytest.raises(error):
            call()


def test_findings_are_listed_and_reviewed(place: Place) -> None:
    library, local = place.library, place.local
    local.add(photo_jpeg(0, 400), id="work", collection="works")
    local.add(attack(photo_jpeg(0, 400), "flip"), id="copy", collection="crawl")
    local.add(photo_jpeg(1, 400), id="other", collection="crawl")
    assert local.scan(catalogue="works", suspects_collection="crawl", name="s").new == 1
    (scan,) = library.scans()
    assert (scan.name, scan.catalogue, scan.suspects, scan.phase) == ("s", "works", "crawl", "idle")
    assert scan.findings["open"] == 1
    (finding,) = library.findings("s")
    assert isinstance(finding, facsimile.Finding)
    assert (finding.suspect.id, finding.work.id, finding.verdict) == ("copy", "work", "copy")
    assert (finding.edit, finding.state) == ("mirrored", "open")
    reviewed = library.review(finding.id, state="confirmed", comment="sure", reviewer="Ada")
    assert (reviewed.state, reviewed.reviewer, len(reviewed.history)) == ("confirmed", "Ada", 1)
    assert list(library.findings("s", states=["open"])) == []
    assert [each.id for each in library.findings(work="works/work")] == [finding.id]
    (job,) = library.jobs()
    assert (job.kind, job.state, library.job(job.id)) == ("compare", "finished", job)


def test_what_one_cannot_do_it_says(place: Place) -> None:
    place.local.add(photo_jpeg(0), id="a")
    place.local.add(attack(photo_jpeg(0), "jpeg_q10"), id="b")
    if place.library is place.local:
        (cluster,) = place.library.duplicates()
        assert {record.id for record in cluster.records} == {"a", "b"}
    else:
        with pytest.raises(facsimile.NotSupported, match="facsimile duplicates"):
            place.library.duplicates()


def test_every_field_of_a_record_has_a_place_in_the_answers_of_the_api() -> None:
    record = facsimile.Record.from_json(
        {"id": "a", "sha256": "0", "pixels": "0", "width": 1, "height": 1, "format": "PNG", "size": 1}
        | {"quality": 1}
    )
    assert record.as_json().keys() <= {*schemas.Image.model_fields, "source"}
    assert facsimile.Record.from_json(record.as_json()).as_json() == record.as_json()


def test_the_asynchronous_client_does_the_same(start: Callable[..., Running], photos: Path) -> None:
    async def use(url: str) -> None:
        async with facsimile.AsyncClient(url) as client:
            tally = await client.ingest(photos)
            assert (tally.added, tally.failed) == (3, 1)
            (match,) = await client.search(attack(photo_jpeg(0, 400), "flip"))
            assert (match.verdict, match.edit) == ("copy", "mirrored")
            answers = await asyncio.gather(*(client.search(photos / f"{each}.jpg") for each in range(3)))
            assert [matches[0].verdict for matches in answers] == ["identical"] * 3
            stored = await client.add(photo_jpeg(3), id="b")
            assert (stored.status, (await client.get("b")).id) == ("added", "b")
            assert len([each async for each in client.images()]) == await client.count() == 4
            assert [each async for each in client.jobs()] == []
            assert [each async for each in client.findings()] == await client.scans() == []
            assert (await client.compare("id:b", photo_jpeg(3))).same_bytes
            (only,) = await client.search_many([photo_jpeg(3)])
            assert not isinstance(only, facsimile.FacsimileError)
            with pytest.raises(facsimile.BrokenImage):
                await client.search(photo_jpeg()[:900])
            with pytest.raises(facsimile.NotSupported):
                await client.duplicates()
            assert await client.remove("b", "nobody") == 1
            assert await client.remove(collection="default") == 3

    asyncio.run(use(start().url))


def _conform(client: facsimile.Client, library: facsimile.Facsimile) -> tuple[facsimile.Library, ...]:
    """Have the type checker compare both with the protocol."""
    return client, library


def forms(path: Path) -> dict[str, Any]:
    """One picture in every form in which a program may have it."""
    with Image.open(path) as image:
        image.load()
    return {
        "path": path,
        "text": str(path),
        "bytes": path.read_bytes(),
        "bytearray": bytearray(path.read_bytes()),
        "memoryview": memoryview(path.read_bytes()),
        "file": io.BytesIO(path.read_bytes()),
        "Pillow": image,
        "Pillow, CMYK": image.convert("CMYK"),
        "Pillow, palette": image.convert("P"),
        "array": np.asarray(image.convert("RGB")),
        "array, gray": np.asarray(image.convert("L")),
        "array, RGBA": np.asarray(image.convert("RGBA")),
        "array, turned": np.rot90(np.asarray(image.convert("RGB"))),
    }


def test_an_image_is_given_in_any_form(library: facsimile.Library, photos: Path) -> None:
    library.add(photos / "0.jpg", id="cat")
    library.add(photos / "1.jpg", id="other")
    for form, given in forms(photos / "0.jpg").items():
        best = library.search(given)[0]
        assert (best.record.id, best.verdict in ("identical", "copy")) == ("cat", True), form
    for form, given in forms(photos / "2.jpg").items():
        library.add(given, id=form)
    expected = set(forms(photos / "2.jpg"))
    assert {match.record.id for match in library.search(photos / "2.jpg", limit=50)} == expected


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (42, "not int"),
        ({"image": b"x"}, "not dict"),
        (io.StringIO("text"), "binary mode"),
        (np.zeros((10, 10, 3)), "uint8"),
        (np.zeros((4, 10, 10, 3), np.uint8), r"\[height, width\]"),
        (np.zeros((0, 10), np.uint8), "no pixels"),
    ],
)
def test_what_is_no_image_is_named(library: facsimile.Library, given: Any, sentence: str) -> None:
    with pytest.raises(facsimile.errors.FacsimileError, match=sentence):
        library.search(given)
    with pytest.raises(facsimile.errors.FacsimileError, match=sentence):
        library.add(given)


def test_an_orientation_of_a_camera_is_kept(library: facsimile.Library, photos: Path) -> None:
    """An image that Pillow opened is stored as its file would be: turned as its EXIF data says."""
    turned = Image.open(photos / "0.jpg")
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(photos / "turned.jpg", exif=exif, quality=95)
    library.add(photos / "turned.jpg", id="file")
    with Image.open(photos / "turned.jpg") as image:
        library.add(image, id="opened")
    sizes = {each.id: (each.width, each.height) for each in library.images()}
    assert sizes["file"] == sizes["opened"] == turned.size[::-1]


def test_one_text_is_a_list_of_one(library: facsimile.Library, photos: Path) -> None:
    library.add(photos / "0.jpg", id="cat", collection="mine", tags="animal")
    library.add(photos / "0.jpg", id="dog", collection="yours", tags=["animal", "pet"])
    assert library.get("cat").tags == ("animal",)
    found = library.search(photos / "0.jpg", collections="mine", orientations="upright")
    assert [match.record.id for match in found] == ["cat"]
    assert [record.id for record in library.images(collections="yours")] == ["dog"]
    assert [[match.record.id for match in each] for each in library.search_many(photos / "0.jpg")] == [  # type: ignore[union-attr]
        ["cat", "dog"]
    ]
    assert list(library.findings(states="new")) == []


def test_a_list_of_sources_is_taken_as_its_sources(library: facsimile.Library, photos: Path) -> None:
    library.ingest([photos / "0.jpg", str(photos / "1.jpg")])
    assert {Path(each.source).name for each in library.images()} == {"0.jpg", "1.jpg"}
    with pytest.raises(facsimile.errors.InvalidRequest, match="a source is a path, a URL or a list"):
        library.ingest(42)  # type: ignore[arg-type]


def test_an_image_that_cannot_be_read_leaves_the_others(library: facsimile.Library, photos: Path) -> None:
    library.add(photos / "0.jpg", id="cat")
    missing = photos / "missing.jpg"
    found = library.search_many([photos / "0.jpg", missing, 42, photos / "broken.jpg", photos / "0.jpg"])  # type: ignore[list-item]
    kinds = [type(each).__name__ if isinstance(each, Exception) else len(each) for each in found]
    assert [kinds[0], kinds[4]] == [1, 1]
    assert all(isinstance(each, facsimile.errors.FacsimileError) for each in found[1:4])
    assert len(library.search_many([missing])) == 1


def test_matches_are_shown(library: facsimile.Library, photos: Path) -> None:
    library.add((photos / "0.jpg").read_bytes(), id="<b>&")
    found = library.search(photos / "0.jpg")
    assert str(found[0]).startswith("identical  1.000  ")
    assert "\n" not in str(found[0])
    shown = found._repr_html_()  # type: ignore[attr-defined]
    assert "data:image/jpeg;base64," in shown
    assert "&lt;b&gt;&amp;" in shown
    assert "<b>" not in shown
    assert str(library.search(photos / "1.jpg")) == "no matches"


def test_what_is_said_of_an_image_is_changed(library: facsimile.Library, photos: Path) -> None:
    library.add(photos / "0.jpg", id="cat", title="old", tags=["a", "b"], metadata={"year": 1969})
    changed = library.update("cat", title="new", tags="c")
    assert (changed.title, changed.tags, dict(changed.metadata)) == ("new", ("c",), {"year": 1969})
    assert library.get("cat").title == "new"
    assert [match.record.id for match in library.search(text="new")] == ["cat"]
    assert library.update("cat", title="", metadata={}).title == ""
    assert library.get("cat").metadata == {}
    with pytest.raises(facsimile.errors.RecordNotFound):
        library.update("dog", title="x")
    with pytest.raises(facsimile.errors.FacsimileError):
        library.update("cat", tags="\ud800")
    assert library.get("cat").tags == ("c",)
