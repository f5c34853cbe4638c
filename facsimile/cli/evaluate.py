"""`evaluate`: every method of the field on the user's own images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facsimile.cli.options import JsonOption
from facsimile.cli.output import emit, progress, say
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from facsimile.search.evaluation.tasks import Checked, Task


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder of images.")],
    report: Annotated[Path, typer.Option("--report", metavar="DIR", help="Folder for the results.")],
    methods: Annotated[
        list[str] | None,
        typer.Option("--methods", "-m", metavar="NAMES", help="Methods, with commas; all unless given."),
    ] = None,
    attacks: Annotated[
        str, typer.Option("--attacks", metavar="NAMES", help="Attacks, with commas; all unless given.")
    ] = "",
    folders: Annotated[
        bool, typer.Option("--folders", help="Each folder of the data set holds images of one object.")
    ] = False,
    pairs: Annotated[
        Path | None, typer.Option("--pairs", metavar="FILE", help="CSV file of pairs: first, second, copy.")
    ] = None,
    query: Annotated[
        Path | None, typer.Option("--query", metavar="IMAGE", help="Rank the images by this one.")
    ] = None,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Compare each of a handful of images with each.")
    ] = False,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="DISC21: queries/, references/ and this ground truth."),
    ] = None,
    copydays: Annotated[
        bool, typer.Option("--copydays", help="The data set is laid out as Copydays.")
    ] = False,
    images: Annotated[int, typer.Option("--images", min=1, help="Images of the data set at most.")] = 500,
    sample: Annotated[int, typer.Option("--sample", min=1, help="Queries of slow methods at most.")] = 460,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the choice of images and of the attacks.")] = 0,
    processes: Annotated[
        int, typer.Option("--processes", min=0, help="Processes; 0: the setting, or one per core.")
    ] = 0,
    json: JsonOption = False,
) -> None:
    """Measure every method of image comparison on your own images.

    Without another option, images are edited by attacks and searched for. A run that was interrupted
    continues with the same command.
    """
    from facsimile.search.evaluation.attacks import ATTACKS
    from facsimile.search.evaluation.methods import chosen_methods
    from facsimile.search.evaluation.plan import Plan
    from facsimile.search.evaluation.report import write_report
    from facsimile.search.evaluation.run import Evaluation
    from facsimile.search.evaluation.tables import as_json, as_markdown, write
    from facsimile.search.evaluation.tasks import (
        attacks_task,
        benchmark_task,
        copydays_task,
        folders_task,
        matrix_task,
        pairs_task,
        query_task,
    )
    from facsimile.settings import changed
    from facsimile.version import __version__

    if sum([folders, matrix, copydays, pairs is not None, query is not None, truth is not None]) > 1:
        raise InvalidRequest("choose one of --folders, --pairs, --query, --matrix, --truth and --copydays")
    specs = chosen_methods(methods or [])
    names = [name.strip() for name in attacks.split(",") if name.strip()] or list(ATTACKS)

    def task_of(checked: Checked) -> Task:  # noqa: PLR0911 - one for each mode
        if folders:
            return folders_task(dataset, images=images, seed=seed, checked=checked)
        if pairs:
            return pairs_task(dataset, pairs, checked=checked)
        if query:
            return query_task(dataset, query, images=images, checked=checked)
        if matrix:
            return matrix_task(dataset, checked=checked)
        if truth:
            return benchmark_task(dataset / "queries", dataset / "references", truth, checked=checked)
        if copydays:
            return copydays_task(dataset, checked=checked)
        return attacks_task(dataset, images=images, attacks=names, seed=seed, checked=checked)

    with progress(quiet=json) as bar:
        line = bar.add_task("read", total=None)

        def show(step: str, done: int, total: int) -> None:
            bar.update(line, description=step, completed=done, total=total)

        task = task_of(lambda done, total: show("read", done, total))
        plan = Plan(task, report, sample, __version__)
        results = Evaluation(plan, specs, processes or _processes(changed({}).processes), show).run()
    write(report, task, results)
    write_report(report, task, results)
    if json:
        emit(as_json(task, results))
    else:
        for text in as_markdown(task, results).splitlines():
            say(text)
        say(f"wrote {report / 'index.html'}, results.json and results.md")
    if task.skipped or all(result.failure for result in results):
        raise typer.Exit(1)


def _processes(chosen: int) -> int:
    from os import cpu_count

    return chosen or cpu_count() or 1
