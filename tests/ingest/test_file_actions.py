"""Acting on duplicate files: what is done, what is refused and why, and what a kill leaves."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from facsimile.ingest.duplicate_plan import PlanRow, actions_of, read_plan, write_plan
from facsimile.ingest.errors import ActionRefused
from facsimile.ingest.file_actions import Act, ActionLog, FileAction, carry_out, undo


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture, and the same bytes in a folder in it."""
    folder = tmp_path / "photos"
    (folder / "new").mkdir(parents=True)
    (folder / "cat.jpg").write_bytes(b"cat")
    (folder / "new" / "cat.jpg").write_bytes(b"cat")
    return folder


def action(act: Act, folder: Path, path: Path | None = None, sha256: str = sha(b"cat")) -> FileAction:
    return FileAction(
        act, str(path or folder / "new" / "cat.jpg"), sha256, str(folder / "cat.jpg"), sha(b"cat")
    )


def act(one: FileAction, folder: Path, to: Path | None = None) -> Path:
    """Do one act; the log of it."""
    name = folder.parent / "log.jsonl"
    with closing(ActionLog(name)) as log:
        carry_out(one, [folder], log, to)
    return name


def refusal(one: FileAction, folder: Path, to: Path | None = None) -> str:
    with pytest.raises(ActionRefused) as refused:
        act(one, folder, to)
    return str(refused.value)


def test_a_file_is_deleted(folder: Path) -> None:
    act(action("delete", folder), folder)
    assert [path.name for path in folder.rglob("*.jpg")] == ["cat.jpg"]
    assert (folder / "cat.jpg").read_bytes() == b"cat"


def test_a_file_is_moved_beside_another_of_its_name_and_back(folder: Path, tmp_path: Path) -> None:
    to = tmp_path / "away"
    (to / "new").mkdir(parents=True)
    (to / "new" / "cat.jpg").write_bytes(b"another")
    log = act(action("move", folder), folder, to)
    assert (to / "new" / "cat (2).jpg").read_bytes() == b"cat"
    assert (to / "new" / "cat.jpg").read_bytes() == b"another"
    assert not (folder / "new" / "cat.jpg").exists()
    assert [reason for _, reason in undo(log)] == [""]
    assert (folder / "new" / "cat.jpg").read_bytes() == b"cat"
    assert not (to / "new" / "cat (2).jpg").exists()


def test_a_file_becomes_a_hard_link(folder: Path) -> None:
    act(action("hardlink", folder), folder)
    assert (folder / "cat.jpg").samefile(folder / "new" / "cat.jpg")
    assert sorted(path.name for path in (folder / "new").iterdir()) == ["cat.jpg"]
    assert "same file on the disk" in refusal(action("delete", folder), folder)


def test_what_was_changed_or_is_gone_is_left(folder: Path) -> None:
    (folder / "new" / "cat.jpg").write_bytes(b"dog")
    assert "was changed since it was stored" in refusal(action("delete", folder), folder)
    (folder / "new" / "cat.jpg").unlink()
    assert "it is not there" in refusal(action("delete", folder), folder)


def test_nothing_is_done_without_the_file_that_is_kept(folder: Path) -> None:
    (folder / "cat.jpg").write_bytes(b"dog")
    assert "the file that is kept was changed" in refusal(action("delete", folder), folder)
    (folder / "cat.jpg").unlink()
    assert "the file that is kept is not there" in refusal(action("delete", folder), folder)
    assert (folder / "new" / "cat.jpg").exists()


def test_links_are_not_followed_out_of_the_named_folders(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "cat.jpg").write_bytes(b"cat")
    (folder / "link").symlink_to(outside)
    (folder / "cat-link.jpg").symlink_to(outside / "cat.jpg")
    for path in (folder / "link" / "cat.jpg", outside / "cat.jpg", folder / ".." / "outside" / "cat.jpg"):
        assert "outside the named folders" in refusal(action("delete", folder, path), folder)
    link = action("delete", folder, folder / "cat-link.jpg")
    assert "it is a symbolic link" in refusal(link, folder)
    assert (outside / "cat.jpg").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(folder: Path) -> None:
    (folder / "new").chmod(0o500)
    assert "its folder is not writable" in refusal(action("delete", folder), folder)
    (folder / "new").chmod(0o700)


def test_a_kill_between_the_log_and_the_end_loses_nothing(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "away.jpg"
    log = tmp_path / "log.jsonl"
    entry = {"act": "move", "path": str(folder / "new" / "cat.jpg"), "sha256": sha(b"cat")}
    entry |= {"kept": str(folder / "cat.jpg"), "kept_sha256": sha(b"cat"), "to": str(moved)}
    log.write_bytes(orjson.dumps(entry) + b"\n")
    assert [reason for _, reason in undo(log)] == [""]  # killed before the move began
    os.link(folder / "new" / "cat.jpg", moved)  # killed when it lay in both places
    assert [reason for _, reason in undo(log)] == [""]
    assert (folder / "new" / "cat.jpg").read_bytes() == b"cat"
    assert not moved.exists()


def test_a_log_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("{}\n")
    with pytest.raises(ActionRefused, match="is not a log"):
        list(undo(tmp_path / "log"))


def test_a_plan_that_keeps_nothing_of_a_picture_is_refused(tmp_path: Path) -> None:
    rows = [
        PlanRow(1, "delete", "/p/a, b.jpg", "11", ""),
        PlanRow(1, "delete", "/p/b.jpg", "11", ""),
        PlanRow(2, "keep", "/p/c.jpg", "22", "the largest"),
        PlanRow(2, "burn", "/p/d.jpg", "22", ""),
        PlanRow(2, "move", "/p/e\n.jpg", "22", ""),
    ]
    write_plan(rows, tmp_path / "plan.csv")
    assert read_plan(tmp_path / "plan.csv") == rows
    first, second, third, fourth = actions_of(rows)
    assert first == "/p/a, b.jpg: no file of its cluster is kept"
    assert isinstance(second, str)
    assert third == "/p/d.jpg: 'burn' is no action: use keep, move, hardlink, delete"
    assert fourth == FileAction("move", "/p/e\n.jpg", "22", "/p/c.jpg", "22")
