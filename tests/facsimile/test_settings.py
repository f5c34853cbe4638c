"""Settings come from the environment and a `.env` file, and secrets stay where they are."""

from __future__ import annotations

from pathlib import Path

import pytest

import facsimile
from facsimile.search.errors import InvalidRequest
from facsimile.settings import RENAMED, Settings, changed, variable
from tests.support.shell import Shell


def test_a_file_sets_what_the_environment_does_not(embedded: Shell, photos: Path) -> None:
    (embedded.folder / ".env").write_text("FACSIMILE_INDEX=from-file\nFACSIMILE_MAX_PIXELS=100000\nOTHER=1\n")
    unset = embedded.on("")
    done = unset("ingest", photos / "coffee.png", "--json")
    assert (done.code, done.lines[0]["failed"]) == (1, 1)
    assert "the limit is 100,000" in done.complaint
    assert (embedded.folder / "from-file").is_dir()
    assert unset.having(FACSIMILE_MAX_PIXELS="1000000").json("ingest", photos / "coffee.png")["added"] == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_BYTES", "abc"),
        ("PROCESSES", "-1"),
        ("COPY_DISTANCE", "300"),
        ("ELASTIC_VERIFY_CERTS", "perhaps"),
    ],
)
def test_a_wrong_value_is_told_with_its_name(embedded: Shell, name: str, value: str) -> None:
    done = embedded.having(**{f"FACSIMILE_{name}": value})("count")
    assert (done.code, done.out) == (2, "")
    assert done.complaint.startswith(f"FACSIMILE_{name}: ")


def test_secrets_are_never_shown(embedded: Shell) -> None:
    secret = {"FACSIMILE_ELASTIC_API_KEY": "hush1", "FACSIMILE_ELASTIC_PASSWORD": "hush2"}
    shell = embedded.having(**secret, FACSIMILE_ELASTIC_USER="me")
    for place in ("http://127.0.0.1:1/x", embedded.index):
        for command in (["status"], ["count"], ["index", "create", "--json"], ["status", "--json"]):
            done = shell.on(place)(*command)
            assert "hush" not in done.out + done.err
    chosen = Settings(elastic_api_key="hush1", elastic_password="hush2")
    assert "hush" not in repr(chosen) + str(chosen) + repr(chosen.elastic)


def test_a_program_may_change_settings_by_name(tmp_path: Path, photographs: Path) -> None:
    with facsimile.open(tmp_path / "index", settings=Settings(max_pixels=1000, processes=1)) as index:
        assert index.ingest(photographs / "coffee.png").failed == 1
    with pytest.raises(InvalidRequest, match=r"there is no setting max_pixel$"):
        Settings(max_pixel=1000)
    with pytest.raises(InvalidRequest, match="FACSIMILE_PROCESSES"):
        Settings(processes=-1)


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_former_name_is_refused_with_the_new_one(monkeypatch, tmp_path: Path, old: str, new: str) -> None:
    sentence = f"^{variable(old)} is now {variable(new)}$"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequest, match=sentence):
        changed({old: 1})
    (tmp_path / ".env").write_text(f"{variable(old)}=1\n")
    with pytest.raises(InvalidRequest, match=sentence):
        Settings()
    (tmp_path / ".env").unlink()
    monkeypatch.setenv(variable(old), "1")
    with pytest.raises(InvalidRequest, match=sentence):
        Settings()
