"""Scans that a client starts over HTTP and that workers, as programs, carry out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

import facsimile
from tests.support.api_server import Running
from tests.support.queue_site import Site
from tests.support.scan_case import Case

pytestmark = pytest.mark.slow


def test_clients_start_scans_and_read_their_findings(
    site: Site, start: Callable[..., Running], tmp_path: Path
) -> None:
    case = Case(tmp_path, site.index)
    case.fill(unrelated=2)
    for folder, collection in ((case.works, "works"), (case.suspects, "suspects-works")):
        site.shell.json("ingest", "--collection", collection, folder)
    url = start(site.index).url
    site.worker()

    with facsimile.Client(url) as client:
        scan = client.scan(catalogue="works")
        assert (scan.name, scan.phase, scan.findings) == ("works", "idle", {"open": 3})
        found = {finding.id for finding in client.findings("works")}
        assert len(found) == 3

    async def again() -> tuple[facsimile.Scan, set[str]]:
        async with facsimile.AsyncClient(url) as client:
            repeated = await client.scan(catalogue="works")
            return repeated, {finding.id async for finding in client.findings("works")}

    repeated, listed = asyncio.run(again())
    assert (repeated.phase, listed) == ("idle", found)
    assert repeated.last_run != scan.last_run, "a second run, which found nothing new"
