"""Duplicates in a folder: which crops lie beside their originals, and what else is taken for one picture.

    python benchmarks/duplicates.py DATASET --cache CACHE --work WORK [--pictures 2000] [--crops 100]

DATASET and CACHE are those of `benchmarks/descriptors.py`, WORK an empty folder. Training pictures, with
crops of some of them. Clusters that hold neither a crop with its original nor near-duplicates by the list
are shown side by side in WORK/others, to be looked at.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

import numpy as np
from PIL import Image

import facsimile
from benchmarks.accuracy.attacks_web import crop
from benchmarks.accuracy.pictures import beside, opened
from datasets.photographs import BURSTS

_CROP = "crop of "


def folder(dataset: Path, cache: Path, place: Path, pictures: int, crops: int) -> dict[str, int]:
    """Lay out the pictures and the crops; of which kind of near-duplicates each name is."""
    library = opened(dataset, cache)
    kinds = library.groups()
    counts = np.bincount(kinds)
    rng = np.random.default_rng(404)
    chosen = rng.choice(library.split().train, pictures, replace=False)
    alone = [
        number
        for number in chosen
        if counts[kinds[number]] == 1 and library.paths[number].split("/")[0] not in BURSTS
    ]
    place.mkdir(parents=True)
    kind_of = {}
    for number in chosen:
        name = library.paths[number].replace("/", " ")
        kind_of[name] = int(kinds[number])
        shutil.copy(dataset / library.paths[number], place / name)
    for number in alone[:crops]:
        name = library.paths[number].replace("/", " ")
        (place / (_CROP + name)).write_bytes(crop(Image.open(place / name).convert("RGB"), rng, ()))
    return kind_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument("--crops", type=int, default=100)
    options = parser.parse_args()
    place = options.work / "pictures"
    kind_of = folder(options.dataset, options.cache, place, options.pictures, options.crops)
    with facsimile.open(options.work / "index") as index:
        print(index.ingest(str(place)))
        start = time.perf_counter()
        clusters = index.duplicates()
        seconds = time.perf_counter() - start
    together, known, others = 0, 0, []
    for cluster in clusters:
        names = [Path(record.source).name for record in cluster.records]
        originals = {name.removeprefix(_CROP) for name in names}
        together += sum(_CROP + name in names and name in names for name in originals)
        if len(originals) > 1 and len({kind_of[name] for name in originals}) == 1:
            known += 1
        elif len(originals) > 1:
            others.append(names)
    print(f"{together} of {options.crops} crops are found, {len(clusters)} clusters in {seconds:.1f} s")
    print(f"{known} clusters of near-duplicates by the list, {len(others)} others:")
    (options.work / "others").mkdir()
    for number, names in enumerate(others):
        print(f"{number:03} {', '.join(names)}")
        beside(place / names[0], place / names[1]).save(options.work / "others" / f"{number:03}.jpg")


if __name__ == "__main__":
    main()
