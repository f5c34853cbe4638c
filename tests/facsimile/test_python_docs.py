"""The examples of docs/python.md, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facsimile.search.evaluation.attacks import attack
from tests.support.pictures import photo_jpeg

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)

EXPECTED = [
    ["2 new, 0 failed", "copy", "photos/a.jpg"],
    ["copy", "mirrored", "photos/a.jpg"],
    ["A harbour {'default': 1} 1", "copy mirrored", "a 400 400", "1 removed"],
    ["copy identical"],
    [],
]


@pytest.mark.parametrize(
    ("example", "expected"),
    list(zip(EXAMPLES, EXPECTED, strict=True)),
)
def test_examples_do_what_they_say(example, expected, start, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for place, name in enumerate("ab"):
        (tmp_path / "photos" / f"{name}.jpg").write_bytes(photo_jpeg(place, 400))
    (tmp_path / "suspect.jpg").write_bytes(attack(photo_jpeg(0, 400), "flip"))
    names: dict[str, object] = {}
    exec("import facsimile\n" + example.replace("http://127.0.0.1:8000", start().url), names)
    told = capsys.readouterr().out
    for words in expected:
        assert words in told
