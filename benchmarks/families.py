"""Look-alike families: how often members of one template are called copies of each other, kind by kind.

    python -m benchmarks.families --work WORK [--templates 2] [--members 4] [--kinds form,meme,…]

The families are rendered (`datasets/rendered`): forms, receipts, windows, codes, signs, memes, shelves, …
Members share a template and differ in their contents, so no ordered pair of a family is a copy. Beside them
stand edited copies of the members, which are. The whole product decides each pair, as `facsimile compare`
does. Pairs that are called copies wrongly are painted side by side in WORK, to be looked at. Photographs
come with scikit-image.
"""

from __future__ import annotations

import argparse
import io
import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from datasets.rendered import KINDS
from datasets.rendered.difference import differ
from facsimile.imaging.describe import describe_many
from facsimile.imaging.models import model
from facsimile.imaging.record import Description
from facsimile.search.comparison import compare
from facsimile.search.evaluation.attacks import attack
from facsimile.search.match import Verdict
from facsimile.search.proof import Policy

#: edits that every kind of picture meets
EDITS = (
    "jpeg_q30",
    "quarter_size",
    "gray",
    "brightness",
    "crop_90",
    "border",
    "flip",
    "rotate_5",
    "text",
    "logo",
)

#: contents that are tried for a family; some templates have few that differ
_TRIES = 20

#: photographs of scikit-image
_PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png")


@dataclass(slots=True)
class Count:
    """Of `pairs`, how many were called copies."""

    called: int = 0
    pairs: int = 0

    def add(self, called: bool) -> None:
        """One more pair."""
        self.called += called
        self.pairs += 1

    def __str__(self) -> str:
        """With the Wilson interval of 95 %."""
        if not self.pairs:
            return "–"
        share, z = self.called / self.pairs, 1.96
        centre = (share + z * z / (2 * self.pairs)) / (1 + z * z / self.pairs)
        half = z * math.sqrt(share * (1 - share) / self.pairs + z * z / (4 * self.pairs**2))
        low, high = (max(0.0, centre + sign * half / (1 + z * z / self.pairs)) for sign in (-1, 1))
        return f"{self.called} of {self.pairs} <sub>{100 * low:.1f}–{100 * min(high, 1):.1f} %</sub>"


def photo(rng: random.Random) -> Image.Image:
    """A photograph, cut at random."""
    import skimage.data

    image = Image.open(Path(skimage.data.__file__).parent / rng.choice(_PHOTOS)).convert("RGB")
    side = rng.uniform(0.6, 1.0) * min(image.size)
    left, top = rng.uniform(0, image.width - side), rng.uniform(0, image.height - side)
    return image.crop((int(left), int(top), int(left + side), int(top + side))).resize((192, 192))


def family(kind: str, template: int, members: int) -> Iterator[bytes]:
    """JPEG files of one template, each different from those before it."""
    seen: list[np.ndarray] = []
    for content in range(_TRIES):
        named = f"benchmark/{kind}/{template}"
        image = KINDS[kind](random.Random(named), random.Random(f"{named}/{content}"), photo).convert("RGB")
        square = np.asarray(image.resize((256, 256), Image.Resampling.BOX))
        if all(differ(square, other) for other in seen):
            seen.append(square)
            file = io.BytesIO()
            image.save(file, "JPEG", quality=90)
            yield file.getvalue()
        if len(seen) == members:
            return


def is_copy(stored: Description, query: Description, policy: Policy | None = None) -> bool:
    """Whether the product calls the query a copy."""
    match = compare(stored, query, policy=policy).match
    return match is not None and match.verdict in (Verdict.COPY, Verdict.IDENTICAL)


def described(datas: list[bytes]) -> list[Description]:
    """The descriptions of files that can be read."""
    return [each for each in describe_many(datas, model=model()) if isinstance(each, Description)]


def measure(kind: str, templates: int, members: int, work: Path) -> tuple[Count, Count]:
    """Members called copies of each other, and edited copies called copies."""
    wrong, right = Count(), Count()
    for template in range(templates):
        files = list(family(kind, template, members))
        own = described(files)
        for first, second in itertools.permutations(range(len(own)), 2):
            called = is_copy(own[first], own[second])
            wrong.add(called)
            if called and first < second:
                paint(files[first], files[second], work / f"{kind}-{template}-{first}-{second}.jpg")
        for copy in described([attack(files[0], edit) for edit in EDITS]):
            right.add(is_copy(own[0], copy))
    return wrong, right


def paint(first: bytes, second: bytes, path: Path) -> None:
    """Both pictures side by side."""
    images = [Image.open(io.BytesIO(data)) for data in (first, second)]
    for image in images:
        image.thumbnail((480, 480))
    page = Image.new("RGB", (sum(image.width for image in images) + 20, 480), "gray")
    page.paste(images[0], (0, 0))
    page.paste(images[1], (images[0].width + 20, 0))
    page.save(path, quality=85)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for the pairs that are wrong")
    parser.add_argument("--templates", type=int, default=2, help="families of each kind")
    parser.add_argument("--members", type=int, default=4, help="pictures of each family")
    parser.add_argument("--kinds", default=",".join(KINDS), help="separated by commas")
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    print("| kind | members called copies | edited copies called so |\n| --- | --: | --: |")
    totals = Count(), Count()
    for kind in chosen.kinds.split(","):
        counts = measure(kind, chosen.templates, chosen.members, chosen.work)
        for total, count in zip(totals, counts, strict=True):
            total.called += count.called
            total.pairs += count.pairs
        print(f"| {kind} | {counts[0]} | {counts[1]} |", flush=True)
    print(f"| all | {totals[0]} | {totals[1]} |")


if __name__ == "__main__":
    main()
