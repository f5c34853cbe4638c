"""One pair of pictures has the same figures wherever it is shown, and verdicts agree with their reasons."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageFilter, ImageOps

import facsimile
from facsimile.imaging.decode import Limits
from facsimile.ingest.item import Item
from facsimile.ingest.loader import Loader
from facsimile.ingest.pipeline import process
from tests.support.pictures import encoded, photograph

pytestmark = pytest.mark.slow


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "astronaut.png": ImageOps.mirror,
    "chelsea.png": lambda photo: ImageOps.expand(ImageOps.mirror(photo), 40, "white"),
    "coffee.png": lambda photo: photo.transpose(Image.Transpose.ROTATE_90).point(lambda value: value // 3),
    "rocket.jpg": lambda photo: photo.resize((photo.width // 3, photo.height // 3)),
    "hubble_deep_field.jpg": lambda photo: ImageOps.expand(photo, 60, "black"),
    "camera.png": lambda photo: photo.filter(ImageFilter.GaussianBlur(9)),
}


def jpeg(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "JPEG", quality=70)
    return data.getvalue()


SETTINGS = facsimile.Settings(model="none", processes=1)


@pytest.fixture(params=["embedded", "elastic"])
def index(
    request: pytest.FixtureRequest, place_of: Callable[[str], str], tmp_path: Path
) -> Iterator[facsimile.Facsimile]:
    """Photographs in one collection, an edited copy of each in another."""
    items = []
    for name, edit in EDITS.items():
        photo = photograph(name).convert("RGB")
        for collection, data in (("works", encoded(photo)), ("crawl", jpeg(edit(photo)))):
            (tmp_path / f"{collection}-{name}").write_bytes(data)
            items.append(
                Item(f"/{collection}/{name}", id=f"{collection}-{name}", collection=collection, data=data)
            )
    with facsimile.open(place_of(request.param), settings=SETTINGS) as index, Loader() as loader:
        process(items, index=index.index, loader=loader, limits=Limits())
        index.index.refresh()
        yield index


def test_a_pair_has_one_distance_whoever_shows_it(index: facsimile.Facsimile, tmp_path: Path) -> None:
    clusters = {
        member.record.id: member for each in index.duplicates() for member in each.members if member.match
    }
    index.scan(catalogue="works", suspects_collection="crawl")
    found = {each.work["id"]: each.as_json()["hamming"] for each in index.scanning.findings.all()}
    for name in EDITS:
        work, copy = f"works-{name}", f"crawl-{name}"
        told = {found[work], *(clusters[id].as_json()["hamming"] for id in (work, copy) if id in clusters)}
        for asked, other in ((work, copy), (copy, work)):
            for image in (tmp_path / asked, f"id:{asked}"):
                told |= {each.hamming for each in index.search(image) if each.record.id == other}
            told.add(index.compare(tmp_path / asked, tmp_path / other).hamming)
        assert len(told) == 1, (name, told)


def test_no_copy_is_called_another_picture(index: facsimile.Facsimile, tmp_path: Path) -> None:
    """Of a blurred copy the pixels disagree: it is a copy by its hash, and nothing says otherwise."""
    index.scan(catalogue="works", suspects_collection="crawl")
    findings = {each.work["id"]: each.as_json() for each in index.scanning.findings.all()}
    for name in EDITS:
        first, second = tmp_path / f"works-{name}", tmp_path / f"crawl-{name}"
        (match,) = (each for each in index.search(second) if each.record.id == f"works-{name}")
        compared = index.compare(first, second)
        assert (compared.verdict, compared.note) == ("copy", ""), name
        for told in (match.as_json(), findings[f"works-{name}"]):
            assert (told["verdict"], told["note"] or None) == ("copy", None), (name, told)
            if told["proof"]:
                assert told["proof"]["finding"] == "copy"
                assert told["proof"]["probability"] >= 0.5
    for each in index.duplicates():
        assert not each.note
        assert all(not member.match.note for member in each.members if member.match)
