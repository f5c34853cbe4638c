"""Real photographs, and the command line on both kinds of index."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
import skimage.data
from PIL import Image

from facsimile.search.errors import StoreError
from facsimile.search.index.elastic.index import ElasticIndex
from tests.support.shell import Shell

KINDS = ("embedded", "elastic")

NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "rocket.jpg")

#: what the owner says about some of them
LIST = """source,id,collection,title,tags,camera
astronaut.png,people/Eileen,people,Portrait of an astronaut,portrait;space,Nikon
chelsea.png,кошка 1,animals,A tabby cat,portrait,Canon
coffee.png,,things,A cup of coffee,,Nikon
hubble_deep_field.jpg,,things,,space,
rocket.jpg,,things,A rocket at night,space,Canon
"""


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with five photographs, for reading only."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in NAMES:
        shutil.copy(Path(skimage.data.__file__).parent / name, folder)
    return folder


@pytest.fixture
def photos(photographs: Path, tmp_path: Path) -> Path:
    """The same for a test that changes them."""
    return Path(shutil.copytree(photographs, tmp_path / "photos"))


def page(place: Path, photos: Path) -> None:
    """Write a page that shows a cat and an astronaut side by side."""
    paper = Image.new("RGB", (1200, 900), "white")
    for name, at in (("chelsea.png", (60, 100)), ("astronaut.png", (660, 300))):
        with Image.open(photos / name) as photo:
            photo.thumbnail((480, 480))
            paper.paste(photo, at)
    paper.save(place)


@pytest.fixture(scope="session")
def remote_place(elasticsearch_url: str) -> Iterator[Callable[[], str]]:
    """Gives a place for a new index on Elasticsearch."""
    given: list[str] = []

    def place() -> str:
        given.append(f"{elasticsearch_url}/cli-{uuid4().hex}")
        return given[-1]

    yield place
    for location in given:
        with suppress(StoreError):
            ElasticIndex.open(location).destroy()


@pytest.fixture(scope="session")
def place_of(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], str]:
    """Gives a place for a new index of a kind; Elasticsearch is started only where it is wanted."""

    def place(kind: str) -> str:
        if kind == "embedded":
            return str(tmp_path_factory.mktemp("index") / "index")
        return str(request.getfixturevalue("remote_place")())

    return place


@pytest.fixture(params=KINDS)
def facsimile(request: pytest.FixtureRequest, place_of: Callable[[str], str], tmp_path: Path) -> Shell:
    """The command line on a place where no index is yet, of both kinds."""
    return Shell(tmp_path, place_of(request.param))


@pytest.fixture
def embedded(place_of: Callable[[str], str], tmp_path: Path) -> Shell:
    """The same for what does not depend on the kind."""
    return Shell(tmp_path, place_of("embedded"))


@pytest.fixture
def elastic(place_of: Callable[[str], str], tmp_path: Path) -> Shell:
    return Shell(tmp_path, place_of("elastic"))


@pytest.fixture(scope="session", params=KINDS)
def filled(
    request: pytest.FixtureRequest,
    place_of: Callable[[str], str],
    photographs: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Shell:
    """The command line on an index of the photographs with their owner's words, for asking only."""
    manifest = photographs / "list.csv"
    manifest.write_text(LIST, encoding="utf-8")
    shell = Shell(tmp_path_factory.mktemp("asking"), place_of(request.param))
    tally = shell.json("ingest", manifest)
    assert tally["added"] == len(NAMES)
    return shell
