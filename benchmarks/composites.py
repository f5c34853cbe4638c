"""Composites: how often a picture is found in a collage, as an inset, turned or negative, both ways.

    python -m benchmarks.composites DATASET --work WORK [--originals 100] [--others 3000] [--index URL]

`DATASET` is a folder of photographs. In the first direction the index holds the originals and the others, and
each composite is a query; in the second it holds the composites and the others, and each original is a query.
The grounds and the other tiles are pictures that neither index holds. Found is what is in the answer at all,
called copy what has this verdict. Wrong copies are counted over all answers, and over queries that the index
holds nothing of.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import random
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image, ImageOps

from benchmarks.families import Count
from facsimile.imaging.describe import describe_many
from facsimile.imaging.models import model
from facsimile.imaging.record import Description, ImageRecord
from facsimile.search.finder import Finder
from facsimile.search.index.base import Index
from facsimile.search.index.elastic.index import ElasticIndex
from facsimile.search.index.embedded.index import EmbeddedIndex
from facsimile.search.index.opening import is_elasticsearch, signatures_of
from facsimile.search.match import Verdict
from facsimile.search.proof import Policy

Others = Sequence[Image.Image]
Edit = Callable[[Image.Image, random.Random, Others], Image.Image]

NETWORK = model()

#: pictures that are put around an original, and how many queries the index holds nothing of
_AROUND = 5
_STRANGERS = 200

_TOGETHER = 50


def tiles(columns: int, rows: int) -> Edit:
    """A collage without gutters."""

    def edit(image: Image.Image, rng: random.Random, others: Others) -> Image.Image:
        page, size = Image.new("RGB", (1000, 1000)), (1000 // columns, 1000 // rows)
        shown = [image, *others[: columns * rows - 1]]
        rng.shuffle(shown)
        for place, each in enumerate(shown):
            page.paste(ImageOps.fit(each, size), (place % columns * size[0], place // columns * size[1]))
        return page

    return edit


def inset(share: float) -> Edit:
    """A picture of this share of the width somewhere upon another."""

    def edit(image: Image.Image, rng: random.Random, others: Others) -> Image.Image:
        ground, width = others[0].resize((1200, 800)), round(1200 * share)
        height = min(800, round(width * image.height / image.width))
        ground.paste(
            image.resize((width, height)), (rng.randint(0, 1200 - width), rng.randint(0, 800 - height))
        )
        return ground

    return edit


def turned(least: float, most: float) -> Edit:
    """A picture turned to either side on a plain ground."""

    def edit(image: Image.Image, rng: random.Random, others: Others) -> Image.Image:
        degrees = rng.uniform(least, most) * rng.choice((1, -1))
        ground = rng.choice(("black", "white", "#8899aa"))
        return image.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=ground)

    return edit


EDITS: dict[str, Edit] = {
    "collage of two": tiles(2, 1),
    "collage of four": tiles(2, 2),
    "collage of six": tiles(3, 2),
    "inset of a half": inset(1 / 2),
    "inset of a third": inset(1 / 3),
    "inset of a quarter": inset(1 / 4),
    "turned by 45°": turned(45, 45),
    "turned by 10° to 80°": turned(10, 80),
    "negative": lambda image, rng, others: ImageOps.invert(image),
}


@dataclass(slots=True)
class Counts:
    """Of one kind of composite in one direction."""

    found: Count = field(default_factory=Count)
    copies: Count = field(default_factory=Count)
    wrong: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Pictures:
    """Paths of a data set, by hash of their names: what is looked for, what stands around it, the rest."""

    originals: list[Path]
    around: list[Path]
    others: list[Path]

    @classmethod
    def of(cls, folder: Path, originals: int, others: int) -> Pictures:
        paths = sorted(
            folder.rglob("*.[jJ][pP]*[gG]"),
            key=lambda path: hashlib.sha256(path.relative_to(folder).as_posix().encode()).digest(),
        )
        at = originals + _STRANGERS
        return cls(paths[:originals], paths[originals:at], paths[at : at + others])


def jpeg(image: Image.Image) -> bytes:
    """Its file."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


def opened(path: Path) -> Image.Image:
    """A picture of the data set."""
    with Image.open(path) as image:
        return image.convert("RGB")


def composites(kind: str, pictures: Pictures) -> Iterator[bytes]:
    """The composite of each original."""
    for place, path in enumerate(pictures.originals):
        rng = random.Random(f"{kind}/{place}")
        around = [opened(each) for each in rng.sample(pictures.around, _AROUND)]
        yield jpeg(EDITS[kind](opened(path), rng, around))


def described(datas: Iterable[bytes]) -> list[Description]:
    """The descriptions of files, all of which can be read."""
    datas = list(datas)
    batches = (datas[at : at + _TOGETHER] for at in range(0, len(datas), _TOGETHER))
    found = [each for batch in batches for each in describe_many(batch, model=NETWORK)]
    good = [each for each in found if isinstance(each, Description)]
    assert len(good) == len(found)
    return good


def filled(location: str, records: Sequence[ImageRecord]) -> Index:
    """A new index, in place of what was there."""
    kind = ElasticIndex if is_elasticsearch(location) else EmbeddedIndex
    if not is_elasticsearch(location):
        shutil.rmtree(location, ignore_errors=True)
    index = kind.create(location, signatures_of(NETWORK))
    for at in range(0, len(records), 500):
        index.put(records[at : at + 500])
    index.refresh()
    return index


def ask(index: Index, queries: Sequence[Description], expected: Sequence[str], regions: bool) -> Counts:
    """Each query should find the record beside it; an empty name: none."""
    finder = Finder(index, policy=replace(Policy(), regions=regions), model=NETWORK)
    counts = Counts()
    for query, wanted in zip(queries, expected, strict=True):
        start = time.process_time()
        matches = finder.search(query)
        counts.seconds += time.process_time() - start
        verdicts = {match.record.id: match.verdict for match in matches}
        counts.found.add(wanted in verdicts)
        counts.copies.add(verdicts.get(wanted) in (Verdict.COPY, Verdict.IDENTICAL))
        counts.wrong += sum(each is Verdict.COPY for id, each in verdicts.items() if id != wanted)
    return counts


def row(name: str, before: Counts, now: Counts) -> str:
    """One line of a table."""
    cells = (name, before.found, now.found, now.copies, now.wrong)
    return "| " + " | ".join(map(str, cells)) + " |"


HEAD = "| {} | found without regions | found | called copy | wrong copies |\n| --- | --: | --: | --: | --: |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("dataset", type=Path, help="folder of photographs")
    parser.add_argument("--work", type=Path, required=True, help="folder for the indices")
    parser.add_argument("--originals", type=int, default=100)
    parser.add_argument("--others", type=int, default=3000)
    parser.add_argument("--kinds", default=",".join(EDITS), help="separated by commas")
    parser.add_argument("--index", default="", help="Elasticsearch index to make, instead of embedded ones")
    chosen = parser.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    pictures = Pictures.of(chosen.dataset, chosen.originals, chosen.others)
    originals = described(path.read_bytes() for path in pictures.originals)
    rest = described(path.read_bytes() for path in pictures.others)
    others = [ImageRecord.of(each, id=f"other {place}") for place, each in enumerate(rest)]
    names = [str(place) for place in range(len(originals))]
    kinds = {kind: described(composites(kind, pictures)) for kind in chosen.kinds.split(",")}

    location = chosen.index or str(chosen.work / "wholes")
    held = [ImageRecord.of(each, id=name) for name, each in zip(names, originals, strict=True)]
    with filled(location, [*held, *others]) as index:
        print(HEAD.format("the query is"))
        for kind, queries in kinds.items():
            print(row(kind, *(ask(index, queries, names, regions) for regions in (False, True))), flush=True)
        strangers = described(path.read_bytes() for path in pictures.around)
        before, now = (ask(index, strangers, [""] * len(strangers), regions) for regions in (False, True))
        milliseconds = [1000 * each.seconds / len(strangers) for each in (before, now)]
        print(f"\nstrangers: wrong copies {before.wrong} and {now.wrong}")
        print("CPU of a search for one: {:.0f} and {:.0f} ms\n".format(*milliseconds), flush=True)
        index.destroy()

    print(HEAD.format("the stored picture is"))
    for kind, shown in kinds.items():
        held = [ImageRecord.of(each, id=name) for name, each in zip(names, shown, strict=True)]
        bare = [each.replaced(panels=each.panels[:0]) for each in held]
        counts = []
        for records, regions in ((bare, False), (held, True)):
            with filled(location, [*records, *others]) as index:
                counts.append(ask(index, originals, names, regions))
                index.destroy()
        print(row(kind, *counts), flush=True)


if __name__ == "__main__":
    main()
