"""What may die while a scan is carried out: afterwards each finding is there, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from facsimile.search.errors import IndexUnavailable
from facsimile.workers.scanning.scans import Phase, Scan
from tests.support.queue_site import PICTURES, SLOW, Site
from tests.support.waiting import TIMEOUT, wait_until

#: every so many of the suspects is a copy of a work
COPIES = 10


@pytest.fixture
def catalogue(tmp_path: Path, pictures: Path) -> Path:
    """Works of which some of the pictures are copies."""
    folder = tmp_path / "works"
    folder.mkdir()
    for path in sorted(pictures.iterdir())[::COPIES]:
        Image.open(path).resize((200, 150)).save(folder / f"{path.stem}.png")
    return folder


def names(site: Site) -> list[tuple[str, str]]:
    """Which suspect shows which work."""
    found = site.shell("findings", "--json").lines
    return sorted((Path(f["suspect"]["source"]).stem, Path(f["work"]["source"]).stem) for f in found)


def expected(pictures: Path) -> list[tuple[str, str]]:
    return [(path.stem, path.stem) for path in sorted(pictures.iterdir())[::COPIES]]


def until_compared(site: Site, least: int) -> None:
    """Wait until so many suspects of the scan have been compared."""

    def compared() -> bool:
        scans = {scan.name: scan for scan in site.opened.scanning.scans.all()}
        if "works" not in scans or scans["works"].phase is not Phase.COMPARING:
            return False
        job = site.opened.queue.jobs.get(scans["works"].job)
        if job.decided < least:
            return False
        assert job.pending, "the fault came too late to strike"
        return True

    what = lambda: f"{least} comparisons\n{site.logs()[-4000:]}"  # noqa: E731
    # while its first entry is made, the index says that it is unavailable
    wait_until(compared, what, interval=0.01, ignore=(IndexUnavailable,))


def ended(site: Site) -> Scan:
    """The scan, when workers have carried it out."""

    def idle() -> Scan | None:
        (scan,) = site.opened.scanning.scans.all()
        return scan if scan.phase is Phase.IDLE and scan.run else None

    found = wait_until(idle, lambda: f"the end of the scan\n{site.logs()[-4000:]}", interval=0.1)
    assert found
    return found


@pytest.mark.parametrize("jobs", [1, 2])
def test_kill_a_scan_and_resume(site: Site, catalogue: Path, pictures: Path, jobs: int) -> None:
    site.shell.json("ingest", catalogue, "--collection", "works")
    command = ("scan", pictures, "--catalogue", "works", "--processes", jobs)
    for least in (32, 200):
        process = site.shell.start(*command)
        until_compared(site, least)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    done = site.shell.json(*command, "--resume")
    assert (done["suspects"], done["works"], done["failed"]) == (PICTURES, PICTURES // COPIES, 0)
    assert names(site) == expected(pictures)
    again = site.shell.json(*command)
    assert (again["new_suspects"], again["new_works"], again["new_findings"]) == (0, 0, 0)


def test_interrupt_a_scan(site: Site, catalogue: Path, pictures: Path) -> None:
    site.shell.json("ingest", catalogue, "--collection", "works")
    process = site.shell.start("scan", pictures, "--catalogue", "works", "--processes", 2)
    until_compared(site, 32)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert b"run the same command to resume" in process.communicate()[1]
    site.shell.json("scan", pictures, "--catalogue", "works")
    assert names(site) == expected(pictures)


def test_workers_carry_out_a_scan_though_one_is_killed(
    site: Site, catalogue: Path, pictures: Path, tmp_path: Path
) -> None:
    site.shell.json("ingest", catalogue, "--collection", "works")
    first, _ = site.worker(processes=2, program=SLOW), site.worker(program=SLOW)
    done = site.shell.json("scan", pictures, "--catalogue", "works", "--queue")
    assert done == {"scan": "works", "started": True}
    until_compared(site, 32)
    os.killpg(first.pid, signal.SIGKILL)
    ended(site)
    assert names(site) == expected(pictures)
    report = tmp_path / "report"
    again = site.shell.json("scan", "--catalogue", "works", "--queue", "--report", report)
    assert (again["new_suspects"], again["new_findings"]) == (0, 0)
    assert len((report / "findings.jsonl").read_text().splitlines()) == PICTURES // COPIES


def test_a_scan_that_was_cancelled_starts_over(site: Site, catalogue: Path, pictures: Path) -> None:
    site.shell.json("ingest", catalogue, "--collection", "works")
    process = site.shell.start("scan", pictures, "--catalogue", "works")
    until_compared(site, 16)
    job = site.opened.scanning.scans.get("works").job
    site.opened.queue.jobs.cancel(job)
    process.communicate(timeout=TIMEOUT)
    done = site.shell.json("scan", pictures, "--catalogue", "works")
    assert done["new_suspects"] == PICTURES
    assert names(site) == expected(pictures)


#: a process that keeps the schedule of an index, without a queue
KEEPER = """
import sys
import facsimile
from facsimile.workers.scanning.scheduler import ScanScheduler, SchedulerDeps
with facsimile.open(sys.argv[1], create=False, model="none") as index:
    wanted = index.settings.scan_rules
    deps = SchedulerDeps(publish=list, waiting=lambda: 0, limit=10, max_bytes=10**6, rules=wanted)
    scheduler = ScanScheduler(index.index, deps)
    sys.stdin.readline()
    for _ in range(20):
        scheduler.tick()
"""


def test_of_several_schedules_one_starts_a_scan(site: Site, catalogue: Path) -> None:
    site.shell.json("ingest", catalogue, "--collection", "works")
    site.shell.json("scan", catalogue, "--catalogue", "works", "--every", "1d")
    before = len(site.shell("jobs", "--json").lines)
    scans = site.opened.scanning.scans
    scan = scans.get("works")
    assert scan.every == 86_400
    assert scans.save(scan.replaced(due=1))
    site.opened.index.state.refresh()
    keepers = [
        subprocess.Popen([sys.executable, "-c", KEEPER, site.index], stdin=subprocess.PIPE) for _ in range(4)
    ]
    for keeper in keepers:
        assert keeper.stdin
        keeper.stdin.write(b"go\n")
        keeper.stdin.close()
    assert [keeper.wait(TIMEOUT) for keeper in keepers] == [0] * 4
    scan = scans.get("works")
    assert len(site.shell("jobs", "--json").lines) == before + 1
    assert scan.phase is Phase.READING
    assert scan.due > scan.begun


def test_the_schedule_repeats_a_scan(site: Site, catalogue: Path, tmp_path: Path, pictures: Path) -> None:
    site.shell.json("ingest", catalogue, "--collection", "works")
    suspects = tmp_path / "suspects"
    suspects.mkdir()
    some = sorted(pictures.iterdir())[:40]
    for path in some[:20]:
        (suspects / path.name).write_bytes(path.read_bytes())
    first = site.shell.json("scan", suspects, "--catalogue", "works", "--every", "1d")
    assert first["new_findings"] == 2
    for path in some[20:]:
        (suspects / path.name).write_bytes(path.read_bytes())
    scans = site.opened.scanning.scans
    assert scans.save(scans.get("works").replaced(due=1))
    site.worker()
    wait_until(lambda: len(names(site)) == 4, site.logs)
    assert ended(site).run != first["run"]
