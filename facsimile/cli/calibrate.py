"""`calibrate`, `recall`: thresholds and candidates measured on the images of an index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facsimile.cli.options import (
    CollectionOption,
    IndexOption,
    JsonOption,
    open_library,
    require_collections,
)
from facsimile.cli.output import complain, emit, progress, say
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from rich.progress import Progress

    from facsimile.library import Facsimile
    from facsimile.search.calibration import Calibration
    from facsimile.search.evaluation.calibration import LabelledMatch
    from facsimile.search.evaluation.recall import IndexRecall
    from facsimile.search.finder import Finder

ImagesOption = Annotated[
    int, typer.Option("--images", min=1, help="Stored images that are drawn and edited.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the choice of images and of the edits.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("calibrate")(calibrate)
    app.command("recall")(recall)


def calibrate(
    index: IndexOption = None,
    collection: CollectionOption = None,
    precision: Annotated[
        float, typer.Option("--precision", min=0.5, max=0.9999, help="Wanted share of right copies.")
    ] = 0.99,
    images: ImagesOption = 200,
    attacks: Annotated[
        str, typer.Option("--attacks", metavar="NAMES", help="Edits, with commas; all unless given.")
    ] = "",
    pairs: Annotated[
        Path | None,
        typer.Option("--pairs", metavar="FILE", help="Labelled pairs: a CSV file with first, second, copy."),
    ] = None,
    findings: Annotated[
        bool, typer.Option("--findings", help="Take the findings that were confirmed or dismissed.")
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Go back to the thresholds of the settings.")
    ] = False,
    seed: SeedOption = 0,
    json: JsonOption = False,
) -> None:
    """Measure thresholds for a wanted precision, and keep them with the index.

    They are taken from edits of stored images, from labelled pairs, or from reviewed findings, and make
    verdicts stricter, never looser.
    """
    from facsimile.search.calibration import remove, save
    from facsimile.search.evaluation.calibration import fitted
    from facsimile.search.finder import Finder

    if sum([pairs is not None, findings, reset]) > 1:
        raise InvalidRequest("choose one of --pairs, --findings and --reset")
    with open_library(index) as library, progress(quiet=json) as bar:
        if collection:
            require_collections(library, collection)
        if reset:
            remove(library.index, collection or "")
            return
        finder = Finder(
            library.index,
            library.settings.thresholds,
            library.settings.verification,
            model=library.model,
            calibrated=False,
        )
        if pairs:
            origin, matches = f"pairs of {pairs.name}", list(_of_pairs(finder, library, pairs))
        elif findings:
            origin, matches = "reviewed findings", list(_of_findings(library, collection))
        else:
            origin = f"edits of stored images, seed {seed}"
            matches = _of_edits(finder, library, bar, collection or "", images, attacks, seed)
        found = fitted(
            matches,
            precision=precision,
            collection=collection or "",
            signatures=str(library.index.signatures),
            origin=origin,
            hash_limit=library.settings.copy_distance,
        )
        if isinstance(found, str):
            complain(f"{found}; nothing was changed")
            raise typer.Exit(1)
        save(library.index, found)
    if json:
        emit(found.as_json())
    else:
        say_calibration(found)


def say_calibration(calibration: Calibration, note: str = "") -> None:
    """Print the thresholds and how they were measured, in two lines."""
    measured = calibration.measured
    precision, kept = measured["precision_after"], measured["kept"]
    wrong = f"{measured['wrong_before']:,} wrong before and {measured['wrong_after']:,} after"
    place = calibration.collection or "all collections"
    say(
        f"calibration {place}: copies from score {calibration.score:.3f} "
        f"and agreement {calibration.agreement:.3f}, or at {calibration.hash} bits where pixels are not "
        f"compared{note}"
    )
    say(
        f"            precision {_percent(precision)} (wanted {100 * calibration.precision:g} %), "
        f"{_percent(kept)} of the right copies kept; {measured['copies']:,} copies, {wrong}; "
        f"{measured['origin']}"
    )


def _percent(share: dict[str, float | Sequence[float]]) -> str:
    low, high = (100 * each for each in share["interval_95"])  # type: ignore[union-attr]
    return f"{100 * share['share']:.1f} % ({low:.1f} to {high:.1f})"  # type: ignore[operator]


def _of_edits(
    finder: Finder,
    library: Facsimile,
    bar: Progress,
    collection: str,
    images: int,
    attacks: str,
    seed: int,
) -> list[LabelledMatch]:
    from facsimile.search.evaluation.attacks import ATTACKS
    from facsimile.search.evaluation.calibration import attacked_matches, sampled_records

    names = [name.strip() for name in attacks.split(",") if name.strip()] or list(ATTACKS)
    if unknown := [name for name in names if name not in ATTACKS]:
        raise InvalidRequest(f"there is no attack {unknown[0]!r}; known are {', '.join(ATTACKS)}")
    records = sampled_records(library.index, collection, images, seed)
    line = bar.add_task("search", total=len(records) * len(names))
    return list(
        attacked_matches(
            finder,
            records,
            model=library.model,
            attacks=names,
            collection=collection,
            seed=seed,
            progress=lambda done, total: bar.update(line, completed=done),
        )
    )


def _of_pairs(finder: Finder, library: Facsimile, file: Path) -> Iterator[LabelledMatch]:
    from facsimile.imaging.describe import describe
    from facsimile.search.evaluation.calibration import LabelledMatch
    from facsimile.search.evaluation.tasks import pairs_task

    task = pairs_task(file.parent, file, checked=lambda done, total: None)
    for name, reason in task.skipped:
        complain(f"{name} was left out: {reason}")
    for first, second, copy in task.pairs:
        one, other = (
            describe(task.references[place].read().data, model=library.model) for place in (first, second)
        )
        if match := finder.compare(one, other).match:
            yield LabelledMatch.of(match, right=copy, image=first)


def _of_findings(library: Facsimile, collection: str | None) -> Iterator[LabelledMatch]:
    from facsimile.search.evaluation.calibration import LabelledMatch
    from facsimile.search.index.state.base import EntryFilter
    from facsimile.search.match import Verdict
    from facsimile.workers.scanning.findings import KIND, Finding, Review

    works: dict[object, int] = {}
    library.index.state.refresh()
    reviewed = (str(Review.CONFIRMED), str(Review.DISMISSED))
    for entry in library.index.state.all(EntryFilter(kind=KIND, terms={"state": reviewed})):
        finding = Finding.from_entry(entry)
        if collection and finding.work_key.collection != collection:
            continue
        yield LabelledMatch(
            right=finding.state is Review.CONFIRMED,
            image=works.setdefault(finding.work_key, len(works)),
            copy=finding.verdict is Verdict.COPY,
            score=finding.score,
            hamming=finding.hamming,
            agreement=finding.proof["agreement"] if finding.proof else None,
        )


def recall(
    index: IndexOption = None,
    collection: CollectionOption = None,
    images: ImagesOption = 60,
    seed: SeedOption = 0,
    json: JsonOption = False,
) -> None:
    """Measure the recall of the index itself: candidates by terms and by vectors against exact search.

    Stored images are drawn and edited; every record is read once.
    """
    from facsimile.search.evaluation.calibration import sampled_records
    from facsimile.search.evaluation.recall import index_recall

    with open_library(index) as library, progress(quiet=json) as bar:
        if collection:
            require_collections(library, collection)
        line = bar.add_task("draw", total=None)
        records = sampled_records(library.index, collection or "", images, seed)
        found = index_recall(
            library.index,
            records,
            model=library.model,
            collection=collection or "",
            seed=seed,
            progress=lambda step, done, total: bar.update(
                line, description=step, completed=done, total=total
            ),
        )
    if json:
        emit(found.as_json())
    else:
        _say_recall(found)


def _say_recall(found: IndexRecall) -> None:
    say(f"{found.queries:,} edited images against {found.records:,} records")
    for each in found.by_hash:
        share = f"{100 * each.found / each.neighbours:.2f} %" if each.neighbours else "no such record"
        bits = f"{each.low} to {each.high} bits"
        say(f"by hash, {bits:14} {each.found:,} of {each.neighbours:,}: {share}")
    if found.by_vector is not None:
        say(f"by vector, the nearest ten    {100 * found.by_vector:.2f} %")
