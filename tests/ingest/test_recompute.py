"""New signatures for stored records: from the very bytes, else from the thumbnail, else none."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from facsimile.imaging import distance
from facsimile.imaging.describe import describe
from facsimile.imaging.models import model
from facsimile.imaging.phash import HASH_VERSION
from facsimile.imaging.record import ImageRecord
from facsimile.ingest.fetch_limits import FetchLimits
from facsimile.ingest.loader import Loader
from facsimile.ingest.recompute import Redescribed, Redescriber
from facsimile.search.index.base import Signatures
from facsimile.search.index.opening import signatures_of
from tests.support.web_server import Web

PHOTOS = Path(skimage.data.__file__).parent
HASHES = Signatures(HASH_VERSION)
OURS = signatures_of(model())


@pytest.fixture
def coffee() -> bytes:
    return (PHOTOS / "coffee.png").read_bytes()


@pytest.fixture
def loader() -> Iterator[Loader]:
    with Loader(FetchLimits(allow_private=True)) as made:
        yield made


Make = Callable[..., Redescriber]


@pytest.fixture
def redescriber(loader: Loader) -> Make:
    def make(old: Signatures, new: Signatures, **options: object) -> Redescriber:
        return Redescriber(old, new, loader=loader, **options)  # type: ignore[arg-type]

    return make


def stored(data: bytes, *sources: Path | str, **changes: object) -> ImageRecord:
    record = ImageRecord.of(describe(data), id="it", title="words")
    return record.replaced(sources=tuple(map(str, sources)), **changes)


def cosine(first: np.ndarray | None, second: np.ndarray | None) -> float:
    assert first is not None and second is not None
    return float(distance.cosine(first, second))


def test_a_vector_is_that_of_the_very_bytes_where_a_source_still_has_them(
    coffee: bytes, redescriber: Make, tmp_path: Path
) -> None:
    gone, other, there = (tmp_path / name for name in ("gone.png", "other.png", "there.png"))
    other.write_bytes((PHOTOS / "chelsea.png").read_bytes())
    there.write_bytes(coffee)
    make = redescriber(HASHES, OURS, model=model())
    record = stored(coffee, gone, "nul\0.png", other, there)
    (made,) = make([record])
    assert cosine(made.vector, describe(coffee, model=model()).vector) > 0.9999
    assert (made.title, made.sources, made.added_at) == ("words", record.sources, record.added_at)
    assert make.tally == Redescribed(from_sources=1)


def test_a_member_of_an_archive_is_a_source(coffee: bytes, redescriber: Make, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("coffee.png", coffee)
    make = redescriber(HASHES, OURS, model=model())
    make([stored(coffee, f"{tmp_path / 'a.zip'}!/coffee.png")])
    assert make.tally == Redescribed(from_sources=1)


def test_a_thumbnail_serves_where_the_source_is_gone_or_another_picture(
    coffee: bytes, redescriber: Make, tmp_path: Path
) -> None:
    (tmp_path / "other.png").write_bytes((PHOTOS / "chelsea.png").read_bytes())
    make = redescriber(HASHES, OURS, model=model())
    records = [stored(coffee, tmp_path / "gone.png"), stored(coffee, tmp_path / "other.png"), stored(coffee)]
    for made, record in zip(make(records), records, strict=True):
        assert cosine(made.vector, describe(coffee, model=model()).vector) > 0.9
        np.testing.assert_array_equal(made.bits, record.bits)
    assert make.tally == Redescribed(from_thumbnails=3)


def test_remote_sources_are_read_only_where_that_is_asked(coffee: bytes, redescriber: Make, web: Web) -> None:
    record = stored(coffee, web.serve("/coffee.png", coffee))
    near = redescriber(HASHES, OURS, model=model())
    near([record])
    assert (near.tally, web.hits) == (Redescribed(from_thumbnails=1), [])
    far = redescriber(HASHES, OURS, model=model(), fetch=True)
    (made, _) = far([record, stored(coffee, web.url("/gone.png"))])
    assert cosine(made.vector, describe(coffee, model=model()).vector) > 0.9999
    assert far.tally == Redescribed(from_sources=1, from_thumbnails=1)
    assert sorted(web.hits) == ["/coffee.png", "/gone.png"]


def test_without_source_and_thumbnail_there_is_no_vector(coffee: bytes, redescriber: Make) -> None:
    old = np.full(4, 0.5, np.float32)
    records = [
        stored(coffee, thumbnail=None, vector=old),
        stored(coffee, vector=old),
        stored(coffee, thumbnail=b"no picture"),
    ]
    make = redescriber(Signatures(HASH_VERSION, "old", 4), OURS, model=model())
    first, second, third = make(records)
    assert (first.vector, third.vector) == (None, None)
    assert second.vector is not None and second.vector.shape == (OURS.dims,)
    assert first.quality == records[0].quality
    assert make.tally == Redescribed(from_thumbnails=1, without=2)


def test_another_hash_is_computed_and_the_vector_of_the_same_model_stays(
    coffee: bytes, redescriber: Make, tmp_path: Path
) -> None:
    (tmp_path / "there.png").write_bytes(coffee)
    stale = {"bits": np.zeros(32, np.uint8), "quality": 1, "pixels": "0" * 64}
    vector = np.full(4, 0.5, np.float32)
    records = [
        stored(coffee, tmp_path / "there.png", vector=vector, **stale),
        stored(coffee, vector=vector, **stale),
        stored(coffee, vector=vector, thumbnail=None, **stale),
    ]
    make = redescriber(Signatures("phash256-0", "same", 4), Signatures(HASH_VERSION, "same", 4))
    first, second, third = make(records)
    right = describe(coffee)
    np.testing.assert_array_equal(first.bits, right.bits)
    assert (first.quality, first.pixels) == (right.quality, right.pixels)
    assert np.bitwise_count(second.bits ^ right.bits).sum() < 16
    assert second.pixels == "0" * 64
    assert third.quality == 0, "a hash of another version finds nothing"
    for made in (first, second, third):
        np.testing.assert_array_equal(made.vector, vector)
    assert make.tally == Redescribed(from_sources=1, from_thumbnails=1, without=1)


def test_of_an_earlier_layout_only_a_source_has_the_digest_of_its_content(
    coffee: bytes, redescriber: Make, tmp_path: Path
) -> None:
    (tmp_path / "there.png").write_bytes(coffee)
    earlier = {"pixels": "0" * 64}
    make = redescriber(HASHES, HASHES, outdated=True)
    first, second, third = make(
        [
            stored(coffee, tmp_path / "there.png", **earlier),
            stored(coffee, **earlier),
            stored(coffee, thumbnail=None, **earlier),
        ]
    )
    assert first.pixels == describe(coffee).pixels
    assert second.pixels == third.pixels == describe(coffee).sha256
    assert make.tally == Redescribed(from_sources=1, from_thumbnails=1, without=1)


def test_hashes_alone_need_no_look_at_any_picture(coffee: bytes, redescriber: Make) -> None:
    make = redescriber(OURS, HASHES)
    (made,) = make([stored(coffee, vector=describe(coffee, model=model()).vector, thumbnail=b"no picture")])
    assert made.vector is None
    assert make.tally == Redescribed(kept=1)


def test_only_missing_vectors_are_made_for_the_same_model(coffee: bytes, redescriber: Make) -> None:
    vector = np.full(OURS.dims, OURS.dims**-0.5, np.float32)
    make = redescriber(OURS, OURS, model=model())
    first, second = make([stored(coffee, vector=vector), stored(coffee)])
    np.testing.assert_array_equal(first.vector, vector)
    assert second.vector is not None
    assert make.tally == Redescribed(kept=1, from_thumbnails=1)


def test_panels_are_found_anew_where_that_is_asked(coffee: bytes, redescriber: Make) -> None:
    with Image.open(io.BytesIO(coffee)) as image:
        ground = image.convert("RGB").transpose(Image.Transpose.ROTATE_90).resize((900, 600))
        ground.paste(image.convert("RGB").resize((400, 300)), (300, 200))
    page = io.BytesIO()
    ground.save(page, "PNG")
    record = stored(page.getvalue())
    assert len(record.panels) > 0
    bare = record.replaced(panels=record.panels[:0])
    as_it_is, anew = (redescriber(HASHES, HASHES, panels=panels) for panels in (False, True))
    assert len(as_it_is([bare])[0].panels) == 0
    (made,) = anew([bare])
    assert len(made.panels) > 0 and made.pixels == record.pixels
    assert anew.tally == Redescribed(from_thumbnails=1)
