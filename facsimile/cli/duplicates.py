"""`duplicates`: images that are stored more than once, and what to do with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facsimile.cli.duplicate_actions import (
    ACTS,
    DryRunOption,
    DuplicateAction,
    LogOption,
    ToOption,
    WithinOption,
    act_on,
    apply,
    check_folders,
    undo,
)
from facsimile.cli.options import (
    CollectionOption,
    HtmlOption,
    IndexOption,
    JsonOption,
    YesOption,
    new_file,
    open_library,
    require_collections,
)
from facsimile.cli.output import console, emit, note, progress, say, visible
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from facsimile.search.duplicates.cluster import Cluster, Member


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(invoke_without_command=True, callback=duplicates)
    group.command("apply")(apply)
    group.command("undo")(undo)
    app.add_typer(group, name="duplicates")


def duplicates(
    context: typer.Context,
    index: IndexOption = None,
    collection: CollectionOption = None,
    distance: Annotated[
        int | None,
        typer.Option(
            "--distance", min=0, max=90, help="Hamming distance that counts as a copy without further proof."
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Verify copies by geometry (default).")
    ] = True,
    scenes: Annotated[
        bool, typer.Option("--scenes", help="Also show pairs of the same scene, which are not merged.")
    ] = False,
    html: HtmlOption = None,
    action: Annotated[
        DuplicateAction,
        typer.Option("--action", help="What to do with the files that are not kept; list: nothing."),
    ] = DuplicateAction.LIST,
    within: WithinOption = None,
    to: ToOption = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option(
            "--reference",
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="A folder whose files are always kept; repeatable.",
        ),
    ] = None,
    edited: Annotated[
        bool, typer.Option("--edited", help="Act on edited copies, too, and not only on the same pixels.")
    ] = False,
    plan: Annotated[
        Path | None,
        typer.Option(
            "--plan",
            metavar="FILE",
            callback=new_file,
            help="Write what would be done as CSV, to edit and `apply`.",
        ),
    ] = None,
    log: LogOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Show images that are stored more than once, and which one to keep. Only --action changes files."""
    if context.invoked_subcommand:
        return
    act = ACTS[action]
    if plan and not act:
        raise InvalidRequest("--plan needs --action move, hardlink or delete")
    if act and not plan:
        check_folders(within, to, moves=action is DuplicateAction.MOVE)
    from facsimile.ingest.duplicate_plan import rows_of, write_plan
    from facsimile.search.html_report import duplicates_page

    with open_library(index) as library:
        require_collections(library, *([collection] if collection else []))
        with progress(quiet=json) as bar:
            task = bar.add_task("compare", total=library.count(collection=collection))
            found = library.duplicates(
                collection=collection,
                radius=distance,
                verify=verify,
                scenes=scenes,
                progress=lambda done: bar.update(task, completed=done),
            )
        if html:
            html.write_text(duplicates_page(library.index, found), encoding="utf-8")
        if act:
            rows = rows_of(found, act, references=reference or (), edited=edited)
            if plan:
                write_plan(rows, plan)
                note(f"wrote {plan}")
            else:
                act_on(library, rows, within or (), to, log, dry_run=dry_run, yes=yes, json=json)
            return
    for cluster in found:
        if json:
            emit(cluster.as_json())
        else:
            _show(cluster)
    if not json:
        copies = sum(not cluster.note for cluster in found)
        images = "1 image is" if copies == 1 else f"{copies} images are"
        say(f"{images} stored more than once")
    if html and not json:
        note(f"wrote {html}")


def _show(cluster: Cluster) -> None:
    say(_heading(cluster))
    console().print(_table(cluster))


def _heading(cluster: Cluster) -> str:
    if cluster.note:
        return cluster.note
    if cluster.keeper is None:
        return f"{cluster.places} places; none of these files exists on this machine"
    if len(cluster.members) == 1:
        return f"{cluster.places} places; keep any: {cluster.why}"
    return f"{cluster.places} places; keep {cluster.why}"


def _table(cluster: Cluster) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), show_header=False)
    for side in ("left", "right", "right", "left", "right"):
        table.add_column(justify=side, no_wrap=True)
    table.add_column(overflow="fold")
    for member in cluster.members:
        record = member.record
        kept = record is cluster.keeper
        for place, source in enumerate(record.present or (record.place,)):
            told = ("keep" if kept else "", *_distances(member)) if place == 0 else ("", "same bytes", "", "")
            size = f"{record.width}x{record.height}"
            table.add_row(*told, size, Text(visible(source)))
    return table


def _distances(member: Member) -> tuple[str, str, str]:
    """How the member is related to the keeper: bits, inliers, words."""
    match = member.match
    if match is None:
        return "", "", ""
    bits = "" if match.hamming is None else f"{match.hamming} bits"
    inliers = f"{match.proof.inliers} inliers" if match.proof else ""
    return bits, inliers, ", ".join(part for part in (match.note, match.edit) if part)
