"""`facsimile watch`: a library that follows its folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import facsimile
from tests.support.pictures import photo_jpeg, synthetic
from tests.support.shell import Shell
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


class Watching:
    """A running `facsimile watch`, and the index that it fills."""

    def __init__(self, shell: Shell, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._library = facsimile.open(shell.index, create=False, settings=facsimile.Settings(model="none"))

    def line(self) -> Any:
        """The next tally, without what it has none of."""
        assert self.process.stdout
        text = self.process.stdout.readline()
        assert text, self.process.communicate()[1].decode()
        return {name: count for name, count in json.loads(text).items() if count}

    def places(self) -> dict[str, str]:
        """Names of files that the index knows, by the id of their record."""
        return {
            Path(source).name: record.id for record in self._library.images() for source in record.present
        }

    def until(self, reached: Callable[[], bool]) -> None:
        wait_until(reached, lambda: f"{self.places()}")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(photo_jpeg(number))
    return folder


@pytest.fixture
def watching(embedded: Shell, photos: Path) -> Iterator[Watching]:
    process = embedded.start("watch", photos, "--json", "--prune")
    try:
        assert process.stdout
        first = json.loads(process.stdout.readline())
        assert (first["added"], first["failed"]) == (3, 0)
        yield Watching(embedded, process)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_new_file_is_stored(watching: Watching, photos: Path) -> None:
    (photos / "new.jpg").write_bytes(photo_jpeg(4))
    (photos / "notes.txt").write_text("no image")
    assert watching.line() == {"added": 1}
    assert "new.jpg" in watching.places()


def test_a_file_that_is_written_slowly_is_stored_when_it_is_whole(watching: Watching, photos: Path) -> None:
    whole = photo_jpeg(4, 400)
    with (photos / "slow.jpg").open("wb") as file:
        file.write(whole[:2000])
        file.flush()
        assert watching.line() == {"failed": 1}
        file.write(whole[2000:])
    watching.until(lambda: "slow.jpg" in watching.places())


def test_a_file_that_moves_keeps_its_record(watching: Watching, photos: Path) -> None:
    before = watching.places()["0.jpg"]
    (photos / "below").mkdir()
    (photos / "0.jpg").rename(photos / "below" / "moved.jpg")
    watching.until(lambda: "0.jpg" not in watching.places())
    assert watching.places()["moved.jpg"] == before


def test_a_file_that_changes_has_another_record(watching: Watching, photos: Path) -> None:
    before = watching.places()
    (photos / "0.jpg").write_bytes(synthetic(1))
    watching.until(lambda: watching.places().get("0.jpg") not in (None, before["0.jpg"]))
    watching.until(lambda: before["0.jpg"] not in watching.places().values())


def test_a_file_that_is_removed_is_removed(watching: Watching, photos: Path) -> None:
    (photos / "1.jpg").unlink()
    assert watching.line() == {"missing": 1, "removed": 1}
    assert set(watching.places()) == {"0.jpg", "2.jpg"}


def test_a_folder_that_is_moved_here_and_removed(watching: Watching, photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for number in range(4):
        (other / f"other-{number}.jpg").write_bytes(synthetic(number))
    (other / ".hidden.jpg").write_bytes(synthetic(9))
    other.rename(photos / "other")
    watching.until(lambda: len(watching.places()) == 7)
    shutil.rmtree(photos / "other")
    watching.until(lambda: len(watching.places()) == 3)


def test_the_folder_itself_goes_away(watching: Watching, photos: Path) -> None:
    """As when a disk is taken out: nothing is removed from the index."""
    photos.rename(photos.with_name("elsewhere"))
    out, err = watching.process.communicate(timeout=60)
    assert watching.process.returncode != 0
    assert f"there is no folder {photos}" in err.decode()
    assert b'removed":3' not in out
    assert len(watching.places()) == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_ends_when_it_is_asked_to(watching: Watching, number: int, code: int) -> None:
    watching.process.send_signal(number)
    _, err = watching.process.communicate(timeout=60)
    assert watching.process.returncode == code, err
    assert b"Traceback" not in err


def test_what_happened_meanwhile_is_found_at_the_start(embedded: Shell, photos: Path) -> None:
    embedded.json("ingest", photos)
    (photos / "0.jpg").unlink()
    (photos / "new.jpg").write_bytes(synthetic(1))
    process = embedded.start("watch", photos, "--json")
    assert process.stdout
    first = json.loads(process.stdout.readline())
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert (first["added"], first["unchanged"], first["missing"], first["removed"]) == (1, 2, 1, 0)


def test_an_empty_folder_is_watched(embedded: Shell, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    process = embedded.start("watch", tmp_path / "empty", "--json")
    assert process.stdout
    assert json.loads(process.stdout.readline())["added"] == 0
    (tmp_path / "empty" / "first.jpg").write_bytes(synthetic(1))
    assert json.loads(process.stdout.readline())["added"] == 1
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_sync(embedded: Shell, photos: Path) -> None:
    assert embedded.json("sync", photos)["added"] == 3
    (photos / "0.jpg").unlink()
    assert embedded.json("sync", photos)["removed"] == 1
    assert embedded.count == 2


def test_no_folder(embedded: Shell, tmp_path: Path) -> None:
    assert embedded("watch", tmp_path / "missing").code == 2
