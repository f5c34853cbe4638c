"""Runs that are cut short, and runs at the same time: nothing is lost, nothing is there twice."""

from __future__ import annotations

import os
import signal
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from facsimile.search.errors import StoreError
from facsimile.search.index.opening import open_index
from tests.support.shell import Shell
from tests.support.waiting import wait_until

PICTURES = 480


@pytest.fixture
def many(photographs: Path, tmp_path: Path) -> Path:
    """A folder of pictures with different bytes, enough for a run of some seconds."""
    folder = tmp_path / "many"
    folder.mkdir()
    data = (photographs / "rocket.jpg").read_bytes()
    for number in range(PICTURES):
        (folder / f"{number:03}.jpg").write_bytes(data + number.to_bytes(2, "big"))
    return folder


def begun(process: subprocess.Popen[bytes], place: str) -> None:
    """Wait until the run has written its first pictures."""

    def written() -> int:
        assert process.poll() is None, "the run ended before it could be cut short"
        with open_index(place) as index:
            index.refresh()
            return index.count()

    wait_until(written, "the first pictures", interval=0.01, ignore=(StoreError,))


def ids(place: str) -> list[str]:
    with open_index(place) as index:
        return [record.id for record in index.scan()]


def all_of(folder: Path) -> list[str]:
    return sorted(sha256(path.read_bytes()).hexdigest() for path in folder.iterdir())


def test_after_ctrl_c_the_next_run_goes_on(facsimile: Shell, many: Path) -> None:
    process = facsimile.start("ingest", many, "--json", "--failures", "failures.jsonl")
    begun(process, facsimile.index)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.decode() == "facsimile: interrupted; run the same command again to continue\n"
    before = facsimile.count
    assert 0 < before < PICTURES
    assert f'"added":{before}' in out.decode()
    after = facsimile.json("ingest", many)
    assert (after["added"], after["unchanged"]) == (PICTURES - before, before)
    assert ids(facsimile.index) == all_of(many)


def test_after_a_kill_the_next_run_completes(facsimile: Shell, many: Path) -> None:
    process = facsimile.start("ingest", many)
    begun(process, facsimile.index)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    after = facsimile.json("ingest", many)
    assert after["added"] + after["unchanged"] == PICTURES
    assert ids(facsimile.index) == all_of(many)


def test_two_runs_at_once_bring_each_picture_in_once(facsimile: Shell, many: Path) -> None:
    runs = [facsimile.start("ingest", many, "--json") for _ in range(2)]
    tallies = [[run.communicate(timeout=120), run.returncode] for run in runs]
    assert [code for _, code in tallies] == [0, 0], tallies
    assert facsimile.count == PICTURES
    assert ids(facsimile.index) == all_of(many)
    assert facsimile.json("ingest", many)["unchanged"] == PICTURES
