"""The wheel in a fresh environment, used beside a user's own packages that have the names of the rooms."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest
import skimage.data

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parent.parent

ROOMS = ("imaging", "search", "ingest", "workers")

#: two processes read images, which start anew and import the package by themselves
LIBRARY = """
import facsimile
import imaging, search, ingest, workers

with facsimile.open("by-library", model="none") as index:
    tally = index.ingest("photos", processes=2)
    (best, *_) = index.search("photos/cat.png")
assert (tally.added, tally.failed) == (2, 0), tally
assert best.verdict == "identical", best
assert {room.MINE for room in (imaging, search, ingest, workers)} == {"the user's"}
"""

CLIENT = """
import sys
import facsimile
import search

with facsimile.Client(sys.argv[1], retry_timeout=120) as client:  # until the server listens
    client.add("photos/cat.png", id="cat", wait=True)
    (best, *_) = client.search("photos/cat.png")
assert (best.record.id, best.verdict) == ("cat", "identical")
assert search.MINE == "the user's"
"""


@dataclass(frozen=True)
class Place:
    """A user's folder, with the fresh environment that they work in."""

    folder: Path
    bin: Path

    def run(self, *command: object) -> str:
        """What a command prints that has to succeed in the folder."""
        done = subprocess.run(
            [self.bin / str(command[0]), *map(str, command[1:])],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the user, none of them for Python or for us but the model."""
        ours = ("FACSIMILE_", "PYTHON")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return kept | {"FACSIMILE_MODEL": "none"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def place(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("user")
    for room in ROOMS:
        (folder / room).mkdir()
        (folder / room / "__init__.py").write_text('MINE = "the user\'s"\n')
    (folder / "photos").mkdir()
    for name, photo in (("cat.png", "chelsea.png"), ("coffee.png", "coffee.png")):
        shutil.copy(Path(skimage.data.__file__).parent / photo, folder / "photos" / name)
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)
    # its dependencies are those that the tests have; what is installed there as a link does not come along
    (site,) = environment.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Place(folder, environment / "bin")


def test_the_wheel_holds_one_package_with_all_of_its_files(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"facsimile"}
    folders = (*ROOMS, "facsimile")
    tracked = subprocess.run(
        ["git", "ls-files", *folders], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    files = {name for name in tracked if not (ROOT / name).is_symlink()}
    assert {name if name.startswith("facsimile/") else f"facsimile/{name}" for name in files} <= names


def test_the_library_beside_packages_of_the_same_names(place: Place) -> None:
    place.run("python", "-c", LIBRARY)


@pytest.mark.parametrize("command", [("facsimile",), ("python", "-m", "facsimile")], ids=" ".join)
def test_the_command_line_beside_packages_of_the_same_names(place: Place, command: tuple[str, ...]) -> None:
    index = ("--index", f"by-{command[0]}")
    tally = json.loads(place.run(*command, "ingest", "photos", *index, "--processes", "2", "--json"))
    assert (tally["added"], tally["failed"]) == (2, 0)
    answer = json.loads(place.run(*command, "search", "photos/cat.png", *index, "--json"))
    assert answer["matches"][0]["verdict"] == "identical"


@pytest.fixture
def server(place: Place) -> Iterator[str]:
    """The address of a server of the installed package, once it takes connections."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(place.bin / "facsimile"), "serve", "--create", "--index", "by-server", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=place.folder, env=place.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def test_server_and_client_beside_packages_of_the_same_names(place: Place, server: str) -> None:
    place.run("python", "-c", CLIENT, server)
