"""`scan`, `scans`, `findings`, `review`: works among suspects, and the review of findings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facsimile.cli import completion
from facsimile.cli.options import IndexOption, JsonOption, YesOption, collection_name, confirm, open_library
from facsimile.cli.output import complain, emit, progress, say
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from rich.progress import Progress

    from facsimile.ingest.item import Outcome
    from facsimile.library import Facsimile
    from facsimile.scans import Scanned
    from facsimile.workers.ledger.jobs import Job
    from facsimile.workers.scanning.findings import Finding
    from facsimile.workers.scanning.scans import Scan

#: failed suspects that are listed one by one
SHOWN = 20

scans_group = typer.Typer(invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("scan")(scan)
    app.add_typer(scans_group, name="scans")
    app.command("findings")(findings)
    app.command("review")(review)


def _new_folder(path: Path | None) -> Path | None:
    """A callback for output folders: an invalid name is reported before the work, not after it."""
    if path is None:
        return None
    if path.exists() and not path.is_dir():
        raise InvalidRequest(f"{path} is not a folder")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidRequest(f"the folder {path} cannot be created: {error.strerror}") from None
    return path


def scan(
    suspects: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SUSPECTS",
            help="As for `ingest`: files, folders, globs, archives, URLs, manifests. Without any, the "
            "collection of suspects is compared as it is.",
        ),
    ] = None,
    index: IndexOption = None,
    catalogue: Annotated[
        str,
        typer.Option(
            "--catalogue",
            metavar="C",
            autocompletion=completion.collections,
            help="The collection of works.",
        ),
    ] = "default",
    name: Annotated[
        str,
        typer.Option("--name", metavar="NAME", help="Name of the scan; by default that of the catalogue."),
    ] = "",
    suspects_collection: Annotated[
        str,
        typer.Option(
            "--suspects-collection",
            metavar="S",
            callback=collection_name,
            help="Collection of suspects; by default suspects-NAME.",
        ),
    ] = "",
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="DIR", callback=_new_folder, help="Folder of the report."),
    ] = None,
    include_similar: Annotated[
        bool, typer.Option("--include-similar", help="Report similar images, too, for review.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue after an interruption, as every scan does.")
    ] = False,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Fetch URLs again that are stored already.")
    ] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="Submit the scan to the workers; with --report, wait for them.")
    ] = False,
    every: Annotated[
        str,
        typer.Option(
            "--every", metavar="1d", help="Have the workers repeat it: minutes (30m), h, d or w; never: stop."
        ),
    ] = "",
    processes: Annotated[
        int, typer.Option("--processes", "-j", min=0, help="Processes; 0: one per core.")
    ] = 0,
    json: JsonOption = False,
) -> None:
    """Find works of a catalogue among suspects. Only what is new on either side is compared again."""
    sources = [str(each) for each in suspects or ()]
    pause = _seconds(every)
    with open_library(index) as library, progress(quiet=json) as bar:
        scan = library.scanning.create_or_update(
            name, catalogue, suspects_collection, sources, include_similar=include_similar, recheck=recheck
        )
        if pause is not None:
            scan = library.scanning.scans.schedule(scan.name, pause)
        shown = _Shown(bar)
        try:
            if queue:
                started = library.scanning.hand_over(scan)
                scanned = library.scanning.wait(scan.name, shown.progress) if report else None
            else:
                scanned = library.scanning.run_scan(
                    scan, sources, processes=processes, on_outcome=shown.outcome, on_progress=shown.progress
                )
        except KeyboardInterrupt:
            complain("interrupted; run the same command to resume")
            raise typer.Exit(130) from None
        bar.stop()
        if report:
            _write(library, scan, report)
    if scanned is None:
        _say_submitted(scan, started, json=json)
        return
    _say(scanned, report, json=json)
    if scanned.failed:
        raise typer.Exit(1)


def _seconds(every: str) -> int | None:
    """The interval in seconds: 0 for never, None if not given."""
    units = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    number, unit = every[:-1], every[-1:]
    if every in ("", "never"):
        return 0 if every else None
    if unit not in units or not number.isdecimal() or not 0 < int(number) < 10_000:
        raise InvalidRequest(f"--every takes a number and m, h, d or w, or never; not {every!r}")
    return int(number) * units[unit]


class _Shown:
    """The progress of a scan on a bar; the first suspects that cannot be read are listed."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("read suspects", total=None)
        self._faults = 0

    def outcome(self, outcome: Outcome) -> None:
        """Receive the outcome of a suspect."""
        self._bar.advance(self._task)
        self._faults += bool(outcome.reason)
        if outcome.reason and self._faults <= SHOWN:
            complain(f"{outcome.item.source}: {outcome.reason}")

    def progress(self, job: Job) -> None:
        """Receive the progress of the comparisons."""
        self._bar.update(self._task, description="compare", completed=job.decided, total=job.accepted)


def _write(index: Facsimile, scan: Scan, folder: Path) -> None:
    from facsimile.workers.scanning.report.report import Report

    found = index.scanning.allowances.reported(index.scanning.findings.all(scan=scan.name))
    Report(index.index, scan, found).write(folder)


def _say(scanned: Scanned, report: Path | None, *, json: bool) -> None:
    if json:
        emit(scanned.as_json())
        return
    counts = scanned.run.counts
    say(
        f"{counts['new_suspects']} new of {counts['suspects']} suspects, {counts['new_works']} new of "
        f"{counts['works']} works compared: {scanned.new} new findings, {scanned.failed} failed"
    )
    if scanned.left_out:
        say(
            f"{scanned.left_out} matches are only similar, though geometry fits, and are left out; "
            "--include-similar reports them"
        )
    if report:
        say(f"wrote {report / 'index.html'}")


def _say_submitted(scan: Scan, started: bool, *, json: bool) -> None:
    if json:
        emit({"scan": scan.name, "started": started})
    elif started:
        say(f"the scan {scan.name} is submitted; `facsimile scans` shows its progress")
    else:
        say(f"the scan {scan.name} is in progress already")


@scans_group.callback(invoke_without_command=True)
def scans(context: typer.Context, index: IndexOption = None, json: JsonOption = False) -> None:
    """List the scans of an index, or delete some."""
    if context.invoked_subcommand:
        return
    with open_library(index) as library:
        scanning = library.scanning
        found = [
            (scan, scanning.allowances.states(scan.name), scanning.webhooks.last(scan.name))
            for scan in scanning.scans.all()
        ]
    for scan, states, told_last in found:
        if json:
            emit({**scan.as_json(), "findings": states, "webhook": told_last})
            continue
        counts_text = ", ".join(f"{count} {state}" for state, count in states.items()) or "no findings"
        say(f"{scan.name}  {scan.suspects} with {scan.catalogue}, {scan.status}: {counts_text}")
    if not found and not json:
        say("no scans")


@scans_group.command("delete")
def delete(
    names: Annotated[
        list[str],
        typer.Argument(metavar="SCAN", autocompletion=completion.scans, help="Names of scans."),
    ],
    index: IndexOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Delete scans with their findings and reviews. Suspects, works and the allow-list stay."""
    with open_library(index) as library:
        for name in names:
            library.scanning.scans.get(name)
        if not yes:
            number = sum(sum(library.scanning.findings.states(name).values()) for name in names)
            confirm(f"Delete {', '.join(names)} with all findings and reviews ({number:,})?")
        for name in names:
            number = library.scanning.delete(name)
            if json:
                emit({"deleted": name, "findings": number})
            else:
                say(f"deleted the scan {name} with {number:,} finding{'' if number == 1 else 's'}")


def findings(
    index: IndexOption = None,
    scan: Annotated[
        str,
        typer.Option(
            "--scan", metavar="NAME", autocompletion=completion.scans, help="Only those of this scan."
        ),
    ] = "",
    state: Annotated[
        list[str] | None,
        typer.Option(
            "--state",
            metavar="S",
            autocompletion=completion.states,
            help="Only these: open, confirmed, …",
        ),
    ] = None,
    work: Annotated[
        str, typer.Option("--work", metavar="COLLECTION/ID", help="Only those of this work.")
    ] = "",
    site: Annotated[str, typer.Option("--site", metavar="HOST", help="Only those on this site.")] = "",
    by: Annotated[
        str,
        typer.Option("--by", metavar="work|site|cluster", help="Count them by this instead of listing them."),
    ] = "",
    json: JsonOption = False,
) -> None:
    """List findings of scans, without those on the allow-list."""
    from facsimile.workers.scanning.clusters import clusters
    from facsimile.workers.scanning.findings import Review

    if unknown := set(state or ()) - set(Review):
        raise InvalidRequest(f"unknown state {min(unknown)!r}: use {', '.join(Review)}")
    if by not in ("", "work", "site", "cluster"):
        raise InvalidRequest(f"findings are grouped by work, site or cluster, not {by!r}")
    with open_library(index) as library:
        selected = library.scanning.findings.all(scan=scan, states=state or (), work=work, site=site)
        found = list(library.scanning.allowances.reported(selected))
    names = clusters(found)
    if by:
        _say_groups(found, by, names, json=json)
        return
    for each in found:
        if json:
            emit({**each.as_json(), "cluster": names.get(each.id)})
        else:
            say(_line(each))
    if not found and not json:
        say("no findings")


def _say_groups(found: list[Finding], by: str, names: dict[str, str], *, json: bool) -> None:
    counts: Counter[str] = Counter()
    for each in found:
        work = "/".join(each.work_key)
        groups = {"work": (work,), "site": each.sites, "cluster": (names.get(each.id, ""),)}
        counts.update(groups[by])
    for group, count in counts.most_common():
        if json:
            emit({by: group or None, "findings": count})
        else:
            say(f"{count:>7}  {group or 'unclustered'}")


def _line(finding: Finding) -> str:
    edit = ", ".join(part for part in (finding.note, finding.edit) if part)
    suspected, shown = (record["source"] or record["id"] for record in (finding.suspect, finding.work))
    suffix = f"  ({edit})" if edit else ""
    return (
        f"{finding.id}  {finding.state.value}  {finding.verdict.value}  {suspected}  shows  {shown}{suffix}"
    )


def review(
    ids: Annotated[list[str], typer.Argument(metavar="FINDING", help="Ids of findings.")],
    index: IndexOption = None,
    state: Annotated[
        str,
        typer.Option(
            "--state",
            metavar="S",
            autocompletion=completion.states,
            help="open, confirmed, dismissed or licensed.",
        ),
    ] = "",
    comment: Annotated[str, typer.Option("--comment", metavar="TEXT", help="A comment.")] = "",
    reviewer: Annotated[str, typer.Option("--reviewer", metavar="NAME", help="Name of the reviewer.")] = "",
    json: JsonOption = False,
) -> None:
    """Set the state of findings, or comment on them. Later scans keep it."""
    with open_library(index) as library:
        for id in ids:
            found = library.scanning.findings.review(id, state=state, comment=comment, reviewer=reviewer)
            if json:
                emit(found.as_json())
            else:
                say(_line(found))
