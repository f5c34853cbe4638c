"""Who may read and write the files of an embedded index."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

#: the database of records, whose permissions all other files of an index take
DATABASE = "records.sqlite"

#: permissions of a new index: its owner alone
FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_folder(folder: Path) -> None:
    """Make the folder of an index where there is none; one that exists keeps its permissions."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=FOLDER_MODE, exist_ok=True)


def make_file(path: Path) -> None:
    """Make an empty file of an index where there is none, for whom its database is."""
    mode = FILE_MODE
    with suppress(FileNotFoundError):
        mode = (path.parent / DATABASE).stat().st_mode & 0o666
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))
    except FileExistsError:
        return
    if mode != FILE_MODE:
        path.chmod(mode)


def may_write(path: Path) -> bool:
    """Whether this process may change a database; SQLite needs to make files beside it."""
    by_effective_user = os.access in os.supports_effective_ids
    return all(os.access(each, os.W_OK, effective_ids=by_effective_user) for each in (path.parent, path))
