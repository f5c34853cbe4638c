"""The documentation says what the program does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from facsimile.settings import Settings

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def helped(*command: str) -> str:
    """The help of a command as one line of words."""
    done = subprocess.run(
        [sys.executable, "-m", "facsimile", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "200", "NO_COLOR": "1", "PATH": "/usr/bin:/bin"},
    )
    return done.stdout


def commands(*above: str) -> list[tuple[str, ...]]:
    """Every command and command of a group, by what their help lists."""
    names = re.findall(r"^│ ([a-z]+)\s{2,}\S", helped(*above), re.MULTILINE)
    return [found for name in names for found in ([*commands(*above, name)] or [(*above, name)])]


@pytest.mark.slow
def test_every_command_is_documented():
    text = (ROOT / "docs" / "commands.md").read_text()
    headings = " ".join(re.findall(r"^## (.*)$", text, re.MULTILINE))
    found = commands()
    assert ("search",) in found
    assert ("index", "create") in found
    for command in found:
        assert " ".join(command) in headings, f"docs/commands.md has no heading for {' '.join(command)}"


@pytest.mark.slow
@pytest.mark.parametrize("command", ["search", "ingest"])
def test_every_option_is_documented(command):
    text = " ".join((ROOT / "docs" / name).read_text() for name in ("commands.md", "ingest.md"))
    for option in re.findall(r"--[a-z]+", helped(command)):
        assert option in text or option == "--help", f"{option} of {command} is in no page"


def shown(default):
    return str(default.get_secret_value() if isinstance(default, SecretStr) else default)


def test_the_settings_are_those_of_the_program():
    text = (ROOT / "docs" / "settings.md").read_text()
    rows = dict(re.findall(r"^\| `FACSIMILE_([A-Z_]+)` \| `?(.*?)`? \|", text, re.MULTILINE))
    expected = {
        name.upper(): "" if field.default is None else shown(field.default)
        for name, field in Settings.model_fields.items()
    }
    assert rows == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_scripts_that_are_named_exist(page):
    for script in re.findall(
        r"\b((?:benchmarks|training|scripts|tests)/[\w/]+\.(?:py|sh))\b", page.read_text()
    ):
        assert (ROOT / script).exists(), f"{page.name} names {script}, which is not there"
