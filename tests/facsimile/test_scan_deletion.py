"""`scans delete`: a scan goes with its findings, and nothing else does."""

from __future__ import annotations

from pathlib import Path

from tests.support.shell import Shell


def test_a_scan_is_deleted_with_its_findings_after_a_question(facsimile: Shell, photos: Path) -> None:
    facsimile.json("ingest", photos / "chelsea.png", "--collection", "works")
    facsimile.json("scan", photos / "chelsea.png", photos / "coffee.png", "--catalogue", "works")
    asked = facsimile("scans", "delete", "works")
    assert (asked.code, "--yes" in asked.complaint) == (2, True)
    assert len(facsimile("findings", "--json").lines) == 1
    assert facsimile.json("scans", "delete", "works", "--yes") == {"deleted": "works", "findings": 1}
    assert facsimile("findings", "--json").lines == []
    assert facsimile("scans", "--json").lines == []
    assert facsimile.count == 3
    again = facsimile("scans", "delete", "works", "--yes")
    assert (again.code, again.complaint) == (2, "there is no scan works")
    assert facsimile.json("scan", photos / "chelsea.png", "--catalogue", "works")["new_findings"] == 1
