"""A realistic trial: suspects of which one in twenty holds an edited copy of a work of the catalogue.

    python benchmarks/trial.py DATASET --cache CACHE --work WORK [--index INDEX] [--works 2000]
        [--suspects 6000] [--jobs 2] [--read-only]

DATASET and CACHE are those of `benchmarks/descriptors.py`, WORK an empty folder, INDEX a folder or the URL of
an index that is not there yet. Scans, scans again with 1 % new suspects, and again with one new work. Every
finding that is not one of the edited copies is shown side by side in WORK/wrong, to be looked at.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import facsimile
from benchmarks.accuracy.attacks_web import DISGUISES
from benchmarks.accuracy.pictures import beside, opened
from datasets.photographs import BURSTS
from facsimile.imaging.record import Description
from facsimile.library import Facsimile
from facsimile.search.finder import Finder
from facsimile.search.match import Verdict
from facsimile.search.params import SearchParams
from facsimile.search.query import Filter
from facsimile.search.stored_queries import descriptions
from facsimile.search.verification import reach, verified

#: one suspect in so many is a copy, and one in so many is new at the second scan
_COPIES, _NEW = 20, 100


@dataclass(frozen=True)
class Cast:
    """Who plays: `works`, of which those of `copies` (by suspect: work and disguise) were copied; `strangers`
    that show no work; `later` are suspects of the second scan, `new_work` the work of the third."""

    works: list[str]
    copies: dict[str, tuple[str, str]]
    strangers: list[str]
    later: list[str]
    new_work: str
    unseen: set[str]


def cast(dataset: Path, cache: Path, works: int, suspects: int) -> Cast:
    """Works that are copied come from pictures that the network never saw and that have no near-duplicate;
    the other works and the strangers from all, no stranger being a known near-duplicate of a work."""
    library = opened(dataset, cache)
    split, kinds = library.split(), library.groups()
    counts = np.bincount(kinds)
    rng = np.random.default_rng(20)
    unseen = [*split.originals, *split.distractors, *split.negatives]
    alone = [
        place
        for place in [*split.originals, *split.distractors]
        if counts[kinds[place]] == 1 and library.paths[place].split("/")[0] not in BURSTS
    ]
    new = suspects // _NEW
    wanted = suspects // _COPIES + new // _COPIES + 1
    copied = alone[:wanted]
    rest = rng.permutation([place for place in range(len(library.paths)) if place not in set(copied)])
    catalogue = [*copied[:-1], *rest[: works - wanted + 1]]
    known = set(kinds[catalogue])
    strangers = [library.paths[place] for place in rest[works - wanted + 1 :] if kinds[place] not in known]
    names = list(DISGUISES)
    copies = {
        f"copy-{number:04}.jpg": (library.paths[place], names[number % len(names)])
        for number, place in enumerate(copied)
    }
    plain = strangers[: suspects + new - wanted]
    first = suspects // _COPIES
    return Cast(
        works=[library.paths[place] for place in catalogue],
        copies=copies,
        strangers=plain,
        later=[*list(copies)[first:], *plain[suspects - first :]],
        new_work=library.paths[copied[-1]],
        unseen={library.paths[place] for place in unseen},
    )


def prepared(cast: Cast, dataset: Path, work: Path) -> None:
    """Write the edited files, and lists of works and suspects as `ingest` takes them."""
    folder = work / "copies"
    folder.mkdir(parents=True, exist_ok=True)
    hosts = cast.strangers[-500:]
    for number, (name, (path, disguise)) in enumerate(cast.copies.items()):
        rng = np.random.default_rng([7, number])
        others = [Image.open(dataset / str(each)).convert("RGB") for each in rng.choice(hosts, 3)]
        picture = Image.open(dataset / path).convert("RGB")
        (folder / name).write_bytes(DISGUISES[disguise](picture, rng, others))
    later = set(cast.later)
    everyone = [*((folder / name, name) for name in cast.copies), *((dataset / p, p) for p in cast.strangers)]
    _listed(work / "works.csv", ((dataset / path, path) for path in cast.works))
    _listed(work / "new-work.csv", [(dataset / cast.new_work, cast.new_work)])
    _listed(work / "suspects.csv", ((place, name) for place, name in everyone if name not in later))
    _listed(work / "all-suspects.csv", everyone)


def _listed(file: Path, rows: Iterable[tuple[Path, str]]) -> None:
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("source", "id"))
        writer.writerows(rows)


class Steps:
    """What was done and measured, kept in a file, so that a run that was cut short goes on where it was."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.told: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}

    def keep(self, values: dict[str, Any]) -> None:
        """Add to what is told."""
        self.told |= values
        self._file.write_text(json.dumps(self.told, indent=1) + "\n", "utf-8")

    def take(self, name: str, action: Callable[[], Any]) -> None:
        """Do it unless it was done, and note its answer, the seconds, and the load of the machine."""
        if name in self.told:
            return
        start = time.perf_counter()
        answer = action()
        took = {"seconds": round(time.perf_counter() - start, 2), "load": round(os.getloadavg()[0], 1)}
        self.keep({name: {**took, "answer": answer}})


def judged(library: Facsimile, cast: Cast, dataset: Path, work: Path) -> dict[str, Any]:
    """Precision and recall of the findings so far."""
    found: dict[tuple[str, str], str] = {}
    for finding in library.scanning.findings.all(scan="works"):
        for key in finding.suspect_keys:
            found[key.id, finding.work["id"]] = finding.as_json()["verdict"]
    seen = [name for name in cast.copies if name not in set(cast.later)]
    right = {name: (name, cast.copies[name][0]) in found for name in seen}
    wrong = [pair for pair in found if cast.copies.get(pair[0], ("",))[0] != pair[1]]
    (work / "wrong").mkdir(exist_ok=True)
    for number, (suspect, path) in enumerate(wrong):
        place = work / "copies" / suspect if suspect in cast.copies else dataset / suspect
        beside(place, dataset / path).save(work / "wrong" / f"{number:03}.jpg")
    return {
        "findings": len(found),
        "precision": round(1 - len(wrong) / max(1, len(found)), 4),
        "recall": round(float(np.mean(list(right.values()))), 4),
        "recall_by_edit": {
            disguise: round(
                float(np.mean([right[name] for name in seen if cast.copies[name][1] == disguise])), 3
            )
            for disguise in DISGUISES
        },
        "missed": [(name, *cast.copies[name]) for name in seen if not right[name]],
        "wrong": [(suspect, path, found[suspect, path]) for suspect, path in wrong],
    }


def pace(library: Facsimile, suspects: int) -> dict[str, Any]:
    """Milliseconds of one core for each pair that a scan of these suspects verifies, with all that goes with
    it: the features of the suspects, and the thumbnails out of the index."""
    thresholds, policy, index = library.settings.thresholds, library.settings.verification, library.index
    records = list(index.scan(Filter(("suspects-works",))))
    drawn = np.random.default_rng(3).permutation(len(records))[:suspects]
    full = list(index.get([records[place].key for place in drawn]).values())
    queries = [each for each in descriptions(full) if isinstance(each, Description)]
    params = SearchParams(limit=20, collections=("works",), verify=False)
    answers = Finder(index, reach(thresholds, policy), policy).search_many(queries, params)
    unsure = [[match for match in found if match.verdict is not Verdict.IDENTICAL] for found in answers]
    pairs = sum(min(len(found), policy.candidates) for found in unsure)
    start = time.process_time()
    verified(index, queries, unsure, thresholds, policy)
    milliseconds = 1000 * (time.process_time() - start)
    return {"pairs_per_suspect": round(pairs / len(queries), 2), "mean_ms": round(milliseconds / pairs, 1)}


def trial(options: argparse.Namespace) -> dict[str, Any]:
    """All of it, as a report of numbers."""
    dataset, work = options.dataset, options.work
    played = cast(dataset, options.cache, options.works, options.suspects)
    prepared(played, dataset, work)
    steps = Steps(work / "trial.json")
    with facsimile.open(options.index or work / "index") as library:

        def read(name: str, collection: str) -> dict[str, Any]:
            return asdict(library.ingest(work / name, collection=collection, processes=options.jobs))

        def scan(*names: str) -> dict[str, Any]:
            sources = [str(work / name) for name in names]
            opened = library.scanning.create_or_update("", "works", "", sources)
            return library.scanning.run_scan(opened, sources, processes=options.jobs).as_json()

        steps.keep(
            {
                "works": len(played.works),
                "works_never_trained_on": len(played.unseen.intersection(played.works)),
                "strangers_never_trained_on": len(played.unseen.intersection(played.strangers)),
                "strangers_of_a_series": sum(path.split("/")[0] in BURSTS for path in played.strangers),
            }
        )
        steps.take("read_works", lambda: read("works.csv", "works"))
        steps.take("read_suspects", lambda: read("suspects.csv", "suspects-works"))
        if options.read_only:
            return steps.told
        steps.take("compare", scan)
        seconds = sum(steps.told[step]["seconds"] for step in ("read_suspects", "compare"))
        steps.keep({"suspects_per_second": round(options.suspects / seconds, 1)})
        if "precision" not in steps.told:
            steps.keep(judged(library, played, dataset, work))
        steps.take("scan_with_new_suspects", lambda: scan("all-suspects.csv"))
        read("new-work.csv", "works")
        steps.take("scan_with_new_work", lambda: scan("all-suspects.csv"))
        steps.keep({"verification": pace(library, 300)})
    return steps.told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--index", default="")
    parser.add_argument("--works", type=int, default=2000)
    parser.add_argument("--suspects", type=int, default=6000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--read-only", action="store_true", help="read the pictures, and end before the scan")
    print(json.dumps(trial(parser.parse_args()), indent=1))


if __name__ == "__main__":
    main()
