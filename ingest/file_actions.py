"""Acting on files that are stored more than once: move, hard link or delete, so that a kill loses nothing.

Each act is written to a log, and the log to the disk, before it begins. Nothing is done to a file outside the
named folders, through a symbolic link, or whose bytes are not those that the index knows; and only while the
file that is kept has the bytes that it is kept for.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal

import orjson

from facsimile.ingest.errors import ActionRefused

Act = Literal["move", "hardlink", "delete"]

#: bytes that are read at a time
_PIECE = 1 << 20

#: what an `OSError` means, where its own words do not say what to do
_REASONS = {
    errno.EACCES: "permission denied: its folder is not writable",
    errno.EPERM: "permission denied: its folder is not writable",
    errno.EROFS: "it lies on a read-only file system",
    errno.EXDEV: "it lies on another device than the file that is kept: hard links cannot cross devices",
    errno.ENOSPC: "the disk is full",
}


@dataclass(frozen=True, slots=True)
class FileAction:
    """What is done to one file. `kept` is the file that stays, `to` where a moved one goes; digests are
    SHA-256 of the bytes."""

    act: Act
    path: str
    sha256: str
    kept: str
    kept_sha256: str
    to: str = ""


class ActionLog:
    """A file with a line for each act, written before it."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")

    def begin(self, action: FileAction) -> None:
        """Write an act that is about to begin, to the disk itself."""
        self._file.write(orjson.dumps(asdict(action), option=orjson.OPT_APPEND_NEWLINE))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def carry_out(action: FileAction, folders: Sequence[Path], log: ActionLog, to: Path | None = None) -> None:
    """Do one act. `folders` are those within which files may change, `to` is where moved files go.

    Raises ActionRefused, whereupon the file is where it was.
    """
    try:
        folder = _folder_of(Path(action.path), folders)
        kept = _checked(Path(action.kept), action.kept_sha256, "the file that is kept")
        found = _checked(Path(action.path), action.sha256, "it")
        if (kept.st_dev, kept.st_ino) == (found.st_dev, found.st_ino):
            raise ActionRefused(f"{action.path}: it is the same file on the disk as {action.kept}")
        if action.act == "hardlink" and action.sha256 != action.kept_sha256:
            raise ActionRefused(f"{action.path}: its bytes differ from those of {action.kept}")
        if action.act == "move":
            if to is None:
                raise ActionRefused(f"{action.path}: name the folder that it is moved to")
            _move(action, _free(to.resolve() / Path(action.path).resolve().relative_to(folder)), log)
        elif action.act == "hardlink":
            log.begin(action)
            _link(action)
        else:
            log.begin(action)
            os.unlink(action.path)  # noqa: PTH108
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, (error.strerror or str(error)).lower())
        raise ActionRefused(f"{action.path}: {reason}") from None


def undo(log: Path) -> Iterator[tuple[FileAction, str]]:
    """Move files back that a log says were moved, the last first; each with the reason why it was not, which
    is empty where it was. Raises ActionRefused where the log is none."""
    try:
        actions = [FileAction(**orjson.loads(line)) for line in log.read_bytes().splitlines()]
    except OSError as error:
        raise ActionRefused(f"{log}: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, TypeError):
        raise ActionRefused(f"{log} is not a log of `facsimile duplicates --action`") from None
    for action in reversed(actions):
        if action.act != "move":
            yield action, f"{action.path}: what was done by {action.act} cannot be undone"
            continue
        try:
            yield action, _move_back(action)
        except OSError as error:
            yield action, f"{action.path}: {(error.strerror or str(error)).lower()}"
        except ActionRefused as error:
            yield action, str(error)


def _move_back(action: FileAction) -> str:
    path, moved = Path(action.path), Path(action.to)
    if os.path.lexists(path):
        if _digest_of(path)[0] == action.sha256:  # interrupted before the file had left its place
            if moved.exists() and _digest_of(moved)[0] == action.sha256:
                moved.unlink()
            return ""
        return f"{path}: another file lies there by now; the moved one stays at {moved}"
    _checked(moved, action.sha256, f"{moved}, which was moved,")
    path.parent.mkdir(parents=True, exist_ok=True)
    _transfer(moved, path, action.sha256)
    return ""


def _folder_of(path: Path, folders: Sequence[Path]) -> Path:
    """The named folder in which a file really lies, symbolic links followed."""
    place = path.parent.resolve(strict=True) / path.name
    for folder in folders:
        real = folder.resolve(strict=True)
        if place.is_relative_to(real):
            return real
    raise ActionRefused(f"{path}: it lies outside the named folders")


def _checked(path: Path, sha256: str, what: str) -> os.stat_result:
    """The status of a regular file with these bytes."""
    try:
        digest, status = _digest_of(path)
    except FileNotFoundError:
        raise ActionRefused(f"{path}: {what} is not there") from None
    if digest != sha256:
        raise ActionRefused(f"{path}: {what} was changed since it was stored; `facsimile ingest` it again")
    return status


def _digest_of(path: Path) -> tuple[str, os.stat_result]:
    """The SHA-256 and the status of a regular file. Raises ActionRefused for links and what is no file."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ActionRefused(f"{path}: it is a symbolic link") from None
        raise
    with open(number, "rb") as file:  # noqa: PTH123
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise ActionRefused(f"{path}: it is no regular file")
        return _digest(file), status


def _digest(file: IO[bytes]) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _free(path: Path) -> Path:
    """The path, or one beside it with a number, at which nothing lies."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return free


def _move(action: FileAction, target: Path, log: ActionLog) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    log.begin(FileAction(**{**asdict(action), "to": str(target)}))
    _transfer(Path(action.path), target, action.sha256)


def _transfer(path: Path, target: Path, sha256: str) -> None:
    """Move a file to where nothing lies, also to another device. It is removed only when it lies there."""
    try:
        os.link(path, target, follow_symlinks=False)  # unlike rename, never replaces a file
    except FileExistsError:
        raise ActionRefused(f"{path}: another file lies at {target} by now") from None
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        _copy(path, target, sha256)
    try:
        path.unlink()
    except OSError:
        target.unlink(missing_ok=True)
        raise


def _copy(path: Path, target: Path, sha256: str) -> None:
    try:
        with path.open("rb") as source, target.open("xb") as copy:
            while piece := source.read(_PIECE):
                copy.write(piece)
            copy.flush()
            os.fsync(copy.fileno())
        if _digest_of(target)[0] != sha256:
            raise ActionRefused(f"{path}: it changed while it was copied")
        times = path.stat()
        os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
    except FileExistsError:
        raise
    except (OSError, ActionRefused):
        target.unlink(missing_ok=True)
        raise


def _link(action: FileAction) -> None:
    """Put a hard link of the kept file in the place of the file, in one step."""
    path = Path(action.path)
    beside = _free(path.with_name(f".{path.name}.facsimile-link"))
    os.link(action.kept, beside, follow_symlinks=False)
    try:
        os.replace(beside, path)  # noqa: PTH105
    except OSError:
        beside.unlink(missing_ok=True)
        raise
