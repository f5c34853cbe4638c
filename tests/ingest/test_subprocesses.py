"""A user's script that calls us without the guard that Python's own processes ask for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pictures import NAMES, encoded, photograph

pytestmark = pytest.mark.slow


SCRIPT = """
import facsimile

print("begins")
with facsimile.open({index!r}, model="none") as index:
    print(index.ingest({folder!r}, processes=2).added)
"""


@pytest.mark.parametrize("how", ["file", "module"])
def test_a_script_needs_no_guard(how: str, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in NAMES[:3]:
        (folder / f"{name}.jpg").write_bytes(encoded(photograph(name, 200), "JPEG", quality=90))
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(index=str(tmp_path / "index"), folder=str(folder)))
    command = [str(script)] if how == "file" else ["-m", "script"]
    done = subprocess.run(
        [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.split()) == (0, ["begins", "3"]), done.stderr
