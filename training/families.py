"""A bank of rendered families: ``python -m training.families --cache <cache>``.

Every family has one template and a few members with other contents. ``<cache>/rendered/`` then holds the
pictures as squares and one row per picture: part, kind and template. Families of the part ``train`` show
training pictures, those of the part ``check`` use templates and photographs of their own; kinds in
``LEFT_OUT`` are in ``check`` only. Everything follows from the seeds.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from datasets.photographs import Bytes, Library
from datasets.rendered import KINDS, LEFT_OUT, Photos
from datasets.rendered.difference import differ
from training.gather import SIDE

SIBLINGS = 6
TEMPLATES = 32
CHECK_TEMPLATES = 5
"""Templates per kind in the part ``check``; twice as many of kinds that are left out of training."""
TRIES = 30


def photos_of(library: Library, part: str) -> Photos:
    """Photographs for rendered pictures: of training, or held-out ones."""
    split = library.split()
    chosen = split.train if part == "train" else split.negatives[split.plain_negatives]

    def photo(rng: random.Random) -> Image.Image:
        image = Image.fromarray(np.array(library.images[int(rng.choice(chosen))]))
        wide = rng.choice((1.0, 1.33, 1.5, 0.75))
        return image.resize((round(192 * wide), 192) if wide >= 1 else (192, round(192 / wide)))

    return photo


def family(kind: str, seed: str, photos: Photos, siblings: int = SIBLINGS) -> list[Bytes]:
    """Members of one family, each different from all before it; fewer where a template has fewer to give."""
    members: list[Bytes] = []
    for attempt in range(TRIES):
        image = KINDS[kind](random.Random(seed), random.Random(f"{seed}/{attempt}"), photos)
        square = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX))
        if all(differ(square, member) for member in members):
            members.append(square)
        if len(members) == siblings:
            break
    return members


def plan(templates: int) -> Iterator[tuple[str, str, int]]:
    """Part, kind and number of each family."""
    for kind in KINDS:
        for number in range(0 if kind in LEFT_OUT else templates):
            yield "train", kind, number
        for number in range(CHECK_TEMPLATES * (2 if kind in LEFT_OUT else 1)):
            yield "check", kind, number


def build(cache: Path, templates: int, seed: str) -> None:
    library = Library.open(cache)
    sources = {part: photos_of(library, part) for part in ("train", "check")}
    rows: list[tuple[str, str, int]] = []
    squares: list[Bytes] = []
    for part, kind, number in plan(templates):
        named = f"{seed if part == 'train' else 'check'}/{part}/{kind}/{number}"
        for square in family(kind, named, sources[part]):
            rows.append((part, kind, number))
            squares.append(square)
    target = cache / "rendered"
    target.mkdir(parents=True, exist_ok=True)
    np.save(target / "images.npy", np.stack(squares))
    (target / "items.json").write_text(json.dumps(rows), encoding="utf-8")
    print(f"{len(rows)} pictures in {len(set(rows))} families")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--templates", type=int, default=TEMPLATES, help="families of each kind for training")
    parser.add_argument("--seed", default="facsimile-2", help="another one gives other families for training")
    arguments = parser.parse_args()
    build(arguments.cache, arguments.templates, arguments.seed)


if __name__ == "__main__":
    main()
