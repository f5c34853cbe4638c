"""Programs written for image-match, as its documentation has them, but for the import line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from elasticsearch import Elasticsearch
from PIL import Image, ImageOps

import facsimile
from facsimile.compat.image_match import ImageSignature, SignatureES, normalized_distance
from tests.support.pictures import bordered, encoded, photograph
from tests.support.shell import Shell

SIGNATURES = 648


@pytest.fixture(params=["folder", pytest.param("elastic", marks=pytest.mark.service)])
def es(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """What image-match is given: here a client of Elasticsearch, or a folder."""
    if request.param == "folder":
        return tmp_path
    return Elasticsearch(request.getfixturevalue("elasticsearch_url"))


@pytest.fixture
def ses(es: Any) -> Iterator[SignatureES]:
    with SignatureES(es, index=f"images-{uuid4().hex}") as opened:
        yield opened


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    cat = photograph("chelsea.png")
    cat.save(folder / "cat.jpg", quality=90)
    cat.resize((200, 240)).save(folder / "squashed.jpg")
    cat.rotate(90, expand=True).save(folder / "turned.png")
    ImageOps.mirror(cat).save(folder / "mirrored.png")
    photograph("coffee.png").save(folder / "coffee.png")
    return folder


def paths(results: list[dict[str, Any]]) -> list[str]:
    return [Path(each["path"]).name for each in results]


def test_the_distance_of_signatures(photos: Path) -> None:
    gis = ImageSignature()
    a = gis.generate_signature(str(photos / "cat.jpg"))
    b = gis.generate_signature(str(photos / "squashed.jpg"))
    c = gis.generate_signature((photos / "coffee.png").read_bytes(), bytestream=True)
    d = gis.generate_signature(np.asarray(photograph("chelsea.png")))
    assert (a.shape, a.dtype, set(a.tolist())) == ((256,), np.int8, {-1, 1})
    assert gis.normalized_distance(a, a) == 0.0
    assert gis.normalized_distance(a, b) < 0.3
    assert gis.normalized_distance(a, d) < 0.3
    assert gis.normalized_distance(a, c) > 0.6
    both = normalized_distance(np.stack([a, c]), b)
    assert both.tolist() == [gis.normalized_distance(a, b), gis.normalized_distance(c, b)]


def test_a_picture_of_one_colour_is_like_no_other(photos: Path) -> None:
    gis = ImageSignature()
    black = gis.generate_signature(encoded(Image.new("RGB", (80, 60))), bytestream=True)
    assert gis.normalized_distance(black, black) == 1.0
    assert gis.normalized_distance(black, gis.generate_signature(photos / "cat.jpg")) == 1.0


def test_store_and_search(ses: SignatureES, photos: Path) -> None:
    ses.add_image(str(photos / "cat.jpg"))
    ses.add_image(str(photos / "coffee.png"), metadata={"category": {"kind": "drink"}})
    (found,) = ses.search_image(str(photos / "cat.jpg"))
    assert found == {
        "dist": 0.0,
        "id": str(photos / "cat.jpg"),
        "path": str(photos / "cat.jpg"),
        "metadata": None,
        "score": found["score"],
    }
    assert found["score"] == pytest.approx(1.0)
    assert ses.search_image(str(photos / "coffee.png"))[0]["metadata"] == {"category": {"kind": "drink"}}
    assert paths(ses.search_image(str(photos / "squashed.jpg"))) == ["cat.jpg"]
    assert paths(ses.search_image((photos / "squashed.jpg").read_bytes(), bytestream=True)) == ["cat.jpg"]


def test_a_picture_that_is_turned(ses: SignatureES, photos: Path) -> None:
    ses.add_image(str(photos / "cat.jpg"))
    for name in ("turned.png", "mirrored.png"):
        (found,) = ses.search_image(str(photos / name), all_orientations=True)
        assert found["dist"] < 0.3


def test_an_image_that_is_not_at_its_path(ses: SignatureES, photos: Path) -> None:
    ses.add_image("a name", img=(photos / "cat.jpg").read_bytes(), bytestream=True, metadata=[1, 2])
    ses.add_image("another", img=str(photos / "coffee.png"))
    (found,) = ses.search_image(str(photos / "cat.jpg"))
    assert (found["id"], found["path"], found["metadata"]) == ("a name", "a name", [1, 2])
    assert ses.search_image(str(photos / "coffee.png"))[0]["path"] == "another"


def test_the_cutoff(es: Any, photos: Path) -> None:
    """A small one returns copies that were hardly edited; one above 0.45 what is only similar, too."""
    name = f"images-{uuid4().hex}"
    with SignatureES(es, index=name, distance_cutoff=0.05) as strict, SignatureES(es, index=name) as usual:
        strict.add_image(str(photos / "cat.jpg"))
        query = encoded(bordered(photograph("chelsea.png").crop((30, 30, 400, 260))), "JPEG")
        (found,) = usual.search_image(query, bytestream=True)
        assert 0.05 < found["dist"] < 0.45
        assert strict.search_image(query, bytestream=True) == []
    with pytest.raises(TypeError):
        SignatureES(es, index=name, distance_cutoff=1)


def test_filters(ses: SignatureES, photos: Path) -> None:
    for category in ("art", "news"):
        ses.add_image(category, img=str(photos / "cat.jpg"), metadata={"category": category, "year": 1969})
    query = str(photos / "cat.jpg")

    def found(pre_filter: Any) -> set[str]:
        return {each["id"] for each in ses.search_image(query, pre_filter=pre_filter)}

    assert found(None) == {"art", "news"}
    assert found({"term": {"image.metadata.category": "art"}}) == {"art"}
    assert found([{"terms": {"image.metadata.category": ["news", "art"]}}]) == {"art", "news"}
    year = {"term": {"image.metadata.year": {"value": 1969}}}
    assert found({"bool": {"filter": [{"term": {"image.metadata.category": "news"}}, year]}}) == {"news"}
    others: list[Any] = [{"range": {"image.metadata.year": {"gt": 1}}}, {"term": {"image.path": "x"}}, 5]
    for unknown in others:
        with pytest.raises(facsimile.errors.InvalidRequest, match="pre_filter may be term and terms"):
            ses.search_image(query, pre_filter=unknown)


def test_the_same_path_again_is_one_image(ses: SignatureES, photos: Path) -> None:
    ses.add_image("place", img=str(photos / "cat.jpg"))
    ses.add_image("place", img=str(photos / "coffee.png"), refresh_after=True)
    ses.delete_duplicates("place")
    assert paths(ses.search_image(str(photos / "coffee.png"))) == ["place"]
    assert ses.search_image(str(photos / "cat.jpg")) == []


def test_parameters_of_its_signature_have_no_effect(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="no effect"):
        ImageSignature(n=11)
    with pytest.raises(TypeError, match="unexpected"):
        ImageSignature(size=11)
    with pytest.raises(facsimile.errors.InvalidRequest, match="client of Elasticsearch"):
        SignatureES(object())


@pytest.mark.service
def test_import_an_index(elasticsearch_url: str, photos: Path, tmp_path: Path) -> None:
    """Its documents hold paths, some of which lead nowhere by now."""
    old = f"old-{uuid4().hex}"
    client = Elasticsearch(elasticsearch_url)
    rows: list[dict[str, Any]] = [
        {"path": str(photos / "cat.jpg"), "metadata": {"year": 1969}},
        {"path": "photos/coffee.png", "metadata": {"what": "a cup"}},
        {"path": str(photos / "gone.jpg")},
    ]
    for row in rows:
        words = {f"simple_word_{number}": number for number in range(63)}
        client.index(index=old, document={"image": {**row, "signature": [0] * SIGNATURES, **words}})
    client.indices.refresh(index=old)

    shell = Shell(tmp_path, str(tmp_path / "index"))
    done = shell("import", "--from", "image-match", f"{elasticsearch_url}/{old}", "--json")
    assert done.code == 1
    assert [(each["added"], each["failed"]) for each in done.lines] == [(2, 1)]
    assert "gone.jpg" in done.err
    with SignatureES(tmp_path, index="index") as ses:
        assert ses.search_image(photos / "cat.jpg")[0]["metadata"] == {"year": 1969}
        (cup,) = ses.search_image(photos / "coffee.png")
        assert (cup["id"], cup["metadata"]) == ("photos/coffee.png", {"what": "a cup"})

    client.index(index=old, document={"name": "something else"}, refresh=True)
    complaint = shell("import", "--from", "image-match", f"{elasticsearch_url}/{old}").complaint
    assert "is no index of image-match" in complaint
    missing = shell("import", "--from", "image-match", f"{elasticsearch_url}/no-such-index")
    assert (missing.code, "no-such-index" in missing.complaint) == (2, True)
