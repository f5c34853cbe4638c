"""`duplicates --action`, `duplicates apply`, `duplicates undo`: acting on duplicate files."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facsimile.cli.options import (
    IndexOption,
    JsonOption,
    YesOption,
    confirm,
    new_file,
    open_library,
)
from facsimile.cli.output import complain, emit, note, say
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from facsimile.ingest.duplicate_plan import PlanRow
    from facsimile.ingest.file_actions import Act, FileAction
    from facsimile.library import Facsimile


class DuplicateAction(StrEnum):
    """What `duplicates` does with the files that it does not keep."""

    LIST = "list"
    MOVE = "move"
    HARDLINK = "hardlink"
    DELETE = "delete"


#: what is done to each file; None: nothing
ACTS: dict[DuplicateAction, Act | None] = {
    DuplicateAction.LIST: None,
    DuplicateAction.MOVE: "move",
    DuplicateAction.HARDLINK: "hardlink",
    DuplicateAction.DELETE: "delete",
}

WithinOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--within",
        metavar="FOLDER",
        exists=True,
        file_okay=False,
        help="Change files in this folder only; repeatable.",
    ),
]
ToOption = Annotated[
    Path | None, typer.Option("--to", metavar="DIR", file_okay=False, help="Where `move` moves files to.")
]
LogOption = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="FILE",
        callback=new_file,
        help="The log of what is done; by default facsimile-duplicates-TIME.jsonl.",
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be done.")]


def apply(
    plan: Annotated[
        Path, typer.Argument(metavar="PLAN", exists=True, dir_okay=False, help="A file of --plan, edited.")
    ],
    index: IndexOption = None,
    within: WithinOption = None,
    to: ToOption = None,
    log: LogOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Do what a plan says: each row's action is keep, move, hardlink or delete."""
    from facsimile.ingest.duplicate_plan import read_plan

    rows = read_plan(plan)
    check_folders(within, to, moves=any(row.action == DuplicateAction.MOVE for row in rows))
    with open_library(index) as library:
        act_on(library, rows, within or (), to, log, dry_run=dry_run, yes=yes, json=json)


def undo(
    log: Annotated[
        Path, typer.Argument(metavar="LOG", exists=True, dir_okay=False, help="The log of an action.")
    ],
    index: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """Move files back that `--action move` has moved, as its log says."""
    from facsimile.ingest import file_actions
    from facsimile.ingest.presence import mark_back

    back: list[str] = []
    refused = 0
    with open_library(index) as library:
        try:
            for action, reason in file_actions.undo(log):
                if reason:
                    complain(reason)
                    refused += 1
                else:
                    back.append(action.path)
        finally:
            mark_back(library.index, back)
    if json:
        emit({"moved_back": len(back), "refused": refused})
    else:
        say(f"{len(back)} {'file' if len(back) == 1 else 'files'} moved back")
    if refused:
        raise typer.Exit(1)


def check_folders(within: Sequence[Path] | None, to: Path | None, *, moves: bool) -> None:
    """Refuse to act where the folders are not named."""
    if not within:
        raise InvalidRequest("name the folders in which files may change: --within FOLDER")
    if moves and to is None:
        raise InvalidRequest("name the folder that files are moved to: --to DIR")


def act_on(
    library: Facsimile,
    rows: Sequence[PlanRow],
    within: Sequence[Path],
    to: Path | None,
    log: Path | None,
    *,
    dry_run: bool,
    yes: bool,
    json: bool,
) -> None:
    """Carry out a plan, once it is confirmed; the files that are left as they are are named."""
    from facsimile.ingest.duplicate_plan import actions_of

    planned = actions_of(rows)
    actions = [each for each in planned if not isinstance(each, str)]
    faults = [each for each in planned if isinstance(each, str)]
    for fault in faults:
        complain(fault)
    if dry_run:
        for action in actions:
            if json:
                emit({"action": action.act, "path": action.path, "kept": action.kept})
            else:
                say(f"{action.act}  {action.path}  (kept: {action.kept})")
    elif actions:
        if not yes:
            acts = ", ".join(sorted({action.act for action in actions}))
            confirm(f"{acts.capitalize()} {len(actions):,} {'file' if len(actions) == 1 else 'files'}?")
        name = log or Path(time.strftime("facsimile-duplicates-%Y%m%d-%H%M%S.jsonl"))
        done, refused = _carry_out(library, actions, within, to, name)
        if json:
            emit({"done": done, "refused": refused + len(faults), "log": str(name)})
        else:
            say(f"{done} {'file' if done == 1 else 'files'} done, {refused + len(faults)} left as they are")
            note(f"wrote {name}")
        if refused:
            raise typer.Exit(1)
    elif not json:
        say("nothing to do")
    if faults:
        raise typer.Exit(1)


def _carry_out(
    library: Facsimile,
    actions: Sequence[FileAction],
    within: Sequence[Path],
    to: Path | None,
    name: Path,
) -> tuple[int, int]:
    """How many acts were done and refused. The index learns which places are gone, also when interrupted."""
    from facsimile.ingest.errors import ActionRefused
    from facsimile.ingest.file_actions import ActionLog, carry_out
    from facsimile.ingest.presence import mark_taken

    done = refused = 0
    taken: list[str] = []
    with closing(ActionLog(name)) as log:
        try:
            for action in actions:
                try:
                    carry_out(action, within, log, to)
                except ActionRefused as error:
                    complain(str(error))
                    refused += 1
                    continue
                done += 1
                if action.act != "hardlink":
                    taken.append(action.path)
        finally:
            mark_taken(library.index, taken)
    return done, refused
