"""Catalogues and suspects for the tests of scans, and what was found as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import facsimile
from facsimile.imaging.decode import Limits
from facsimile.ingest.item import Item
from facsimile.ingest.loader import Loader
from facsimile.ingest.pipeline import process
from facsimile.ingest.sources import items
from facsimile.scans import Scanned
from facsimile.workers.scanning.findings import Finding
from tests.support.pictures import EDITS, NAMES, encoded, photograph


def noise(number: int) -> bytes:
    """A picture like no other."""
    rng = np.random.default_rng(1000 + number)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 8, 3), dtype=np.uint8))
    return encoded(coarse.resize((160, 120), Image.Resampling.BICUBIC), "JPEG", quality=80)


def edited(name: str, edit: str = "jpeg q30") -> bytes:
    """One of the photographs, edited."""
    return EDITS[edit](photograph(name))


class Case:
    """An index with a folder of works and one of suspects."""

    def __init__(self, folder: Path, location: str) -> None:
        self.location = location
        self.works = folder / "works"
        self.suspects = folder / "suspects"
        for each in (self.works, self.suspects):
            each.mkdir()

    def work(self, name: str) -> None:
        """Put a photograph into the catalogue's folder."""
        (self.works / Path(name).name).write_bytes(encoded(photograph(name)))

    def suspect(self, name: str, data: bytes) -> str:
        """Put a picture into the suspects' folder; its place."""
        path = self.suspects / name
        path.write_bytes(data)
        return str(path)

    def fill(self, unrelated: int = 20) -> None:
        """Works of all photographs, edited copies of two of them, and pictures that show none."""
        for name in NAMES:
            self.work(name)
        self.suspect("cat.jpg", edited("chelsea.png"))
        self.suspect("cat-border.jpg", edited("chelsea.png", "border"))
        self.suspect("rocket.png", edited("rocket.jpg", "text"))
        for number in range(unrelated):
            self.suspect(f"noise-{number}.jpg", noise(number))

    def bring_in(self, index: facsimile.Facsimile, folder: Path, collection: str) -> None:
        """Ingest a folder in this process: starting others takes longer than the work."""
        with Loader() as loader:
            found = [each for each in items(str(folder), collection=collection) if isinstance(each, Item)]
            process(found, index=index.index, loader=loader, limits=Limits())
        index.index.refresh()

    def scan(self, index: facsimile.Facsimile, **options: Any) -> Scanned:
        """Compare the folders as they are now."""
        self.bring_in(index, self.works, "works")
        self.bring_in(index, self.suspects, "suspects-works")
        scan = index.scanning.create_or_update("", "works", **options)
        return index.scanning.run_scan(scan)

    def open(self, **changes: Any) -> facsimile.Facsimile:
        """The index, by hashes and geometry alone."""
        return facsimile.open(
            self.location, settings=facsimile.Settings(**{"model": "none", "processes": 1, **changes})
        )


def shown(findings: Iterable[Finding]) -> set[tuple[str, str]]:
    """Which suspect shows which work, by the names of their files."""
    pairs = [(Path(each.suspect["source"]).name, Path(each.work["source"]).name) for each in findings]
    assert len(pairs) == len(set(pairs)), "a finding is there twice"
    return set(pairs)


#: what `Case.fill` has to be found in
FILLED = {("cat.jpg", "chelsea.png"), ("cat-border.jpg", "chelsea.png"), ("rocket.png", "rocket.jpg")}
