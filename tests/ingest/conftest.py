"""Pictures on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pictures import synthetic


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of five pictures in two folders, beside files that are none."""
    folder = tmp_path / "photos"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    for seed, name in enumerate(["b.jpg", "a.JPG", "deep/c.jpg", "deep/er/d.jpeg", "z.jpg"]):
        (folder / name).write_bytes(synthetic(seed))
    (folder / "notes.txt").write_text("no picture")
    (folder / "deep" / "thing.pdf").write_bytes(b"%PDF")
    (folder / ".hidden" / "e.jpg").write_bytes(synthetic(9))
    (folder / ".f.jpg").write_bytes(synthetic(9))
    return folder
