"""Workers as programs, on a real Redis and a real index, with faults made for real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

import facsimile
from facsimile.workers.errors import JobNotFound
from tests.support.shell import Shell
from tests.support.waiting import wait_until

#: images of a run: many chunks, so that a fault strikes in their midst
PICTURES = 600

#: seconds for which a vanished worker's chunk is left alone; the default is for real machines
LEASE = 4

#: a machine slow enough that a fault strikes while work is under way, however late the test makes it
SLOW = """
import time
import facsimile.ingest.pipeline
quick = facsimile.ingest.pipeline.process
def process(items, **more):
    time.sleep(0.15)
    return quick(items, **more)
facsimile.ingest.pipeline.process = process
"""


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small pictures that all differ."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(5)
    for number in range(PICTURES):
        coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
        coarse.resize((160, 120), Image.Resampling.BICUBIC).save(folder / f"{number:04}.jpg", quality=80)
    return folder


class Site:
    """One index, one queue, and the workers of a test."""

    def __init__(self, folder: Path, index: str, broker: str) -> None:
        self.index = index
        self.broker = broker
        self.shell = Shell(
            folder,
            index,
            FACSIMILE_BROKER_URL=broker,
            FACSIMILE_QUEUE_LEASE=str(LEASE),
            FACSIMILE_LOG_FORMAT="json",
        )
        self._folder = folder
        self._workers: list[subprocess.Popen[bytes]] = []
        self._open: facsimile.Facsimile | None = None

    def worker(self, *options: object, processes: int = 1, program: str = "") -> subprocess.Popen[bytes]:
        """Start a worker; `program` is Python that runs first, for a fault that cannot be made otherwise."""
        code = f"import sys\n{program}\nfrom facsimile.cli import main\nmain()"
        log = self._folder / f"worker-{len(self._workers)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", code, "worker", "-j", str(processes), *map(str, options)],
                cwd=self._folder,
                env=self.shell._environment,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self._workers.append(process)
        return process

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self._folder.glob("worker-*.log")))

    def hand_over(self, *sources: object) -> str:
        """Put sources into the queue; the id of the job."""
        return str(self.shell.json("ingest", "--queue", *sources)["job"])

    @property
    def opened(self) -> facsimile.Facsimile:
        """The index in this process: a command of its own would come too late for most faults."""
        if self._open is None:
            self._open = facsimile.open(
                self.index, create=False, settings=facsimile.Settings(model="none", broker_url=self.broker)
            )
        return self._open

    def job(self, job: str) -> Any:
        """How far it is."""
        return self.opened.queue.watch(job).as_json()

    def until(self, job: str, enough: Callable[[Any], bool], what: str = "the job") -> Any:
        """Wait for a job; what it says of itself then."""
        seen: list[Any] = []

        def reached() -> bool:
            seen[:] = [self._asked(job)]
            return enough(seen[0])

        wait_until(reached, lambda: f"{what}: {seen}\n{self.logs()[-4000:]}", interval=0.01)
        return seen[0]

    def _asked(self, job: str) -> Any:
        try:
            return self.job(job)
        except JobNotFound:  # the first message of another service makes theirs
            return {"job": job, "accepted": 0, "pending": 0, "added": 0, "finished": None}

    def shown(self) -> None:
        """Make what workers have written visible now; it would be within a second."""
        self.opened.index.refresh()

    def finished(self, job: str) -> Any:
        return self.until(job, lambda found: found["finished"] is not None, "the end of the job")

    def nothing_is_lost(self, job: str, accepted: int, failed: int = 0) -> Any:
        """Every accepted image is indexed or listed as failed, and none twice."""
        found = self.finished(job)
        indexed = found["added"] + found["updated"] + found["unchanged"]
        assert (found["accepted"], indexed, found["failed"], found["pending"]) == (
            accepted,
            accepted - failed,
            failed,
            0,
        ), found
        assert self.shell.count == accepted - failed
        assert len(self.shell("letters", "--job", job, "--json").lines) == failed
        return found

    def children(self, worker: subprocess.Popen[bytes]) -> list[int]:
        """The processes of a worker's pool."""
        answer = subprocess.run(
            ["pgrep", "-P", str(worker.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        return [int(pid) for pid in answer]

    def close(self) -> None:
        if self._open:
            self._open.close()
        for worker in self._workers:
            with suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


@pytest.fixture
def site_of(tmp_path: Path) -> Iterator[Callable[[str, str], Site]]:
    """Makes the site of an index and a Redis."""
    sites: list[Site] = []

    def make(index: str, broker: str) -> Site:
        sites.append(Site(tmp_path, index, broker))
        return sites[-1]

    yield make
    for each in sites:
        each.close()


@pytest.fixture(params=["embedded", "elastic"])
def site(
    request: pytest.FixtureRequest, site_of: Callable[[str, str], Site], redis_server: Any, tmp_path: Path
) -> Site:
    """An empty index of each kind, with a queue of its own."""
    if request.param == "embedded":
        index = str(tmp_path / "index")
    else:
        index = f"{request.getfixturevalue('elasticsearch_url')}/queue-{uuid4().hex}"
    return site_of(index, redis_server().url)
