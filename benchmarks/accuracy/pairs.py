"""Pairs of pictures to verify: edited copies with their originals, and look-alikes that are none."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from benchmarks.accuracy.pictures import opened
from datasets.photographs import BURSTS
from facsimile.imaging.describe import describe, hash_queries
from facsimile.imaging.models import model
from facsimile.imaging.record import Description, ImageRecord
from facsimile.search.evaluation.attacks import ATTACKS, attack
from facsimile.search.ranking import nearest

Picture = Image.Image

#: a page or screenshot in which a copy is pasted is at least so wide
_PAGE = 640


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A query and a stored picture; `kind` is the edit, or what makes the pair a look-alike."""

    kind: str
    copy: bool
    query: Description
    stored: ImageRecord
    hamming: int | None
    cosine: float

    @classmethod
    def of(cls, kind: str, query: Description, stored: Description, id: str, *, copy: bool) -> Pair:
        """With the distances that a search would know."""
        record = ImageRecord.of(stored, id=id)
        near = nearest(hash_queries(query), record)
        assert query.vector is not None and stored.vector is not None
        cosine = float(query.vector @ stored.vector)
        return cls(kind, copy, query, record, near.hamming if near else None, cosine)


@dataclass(frozen=True)
class Ground:
    """Which pictures play: `originals` are edited, `index` is searched, `strangers` ask without a copy;
    `hosts` lend the pages that copies are pasted in."""

    originals: Sequence[str]
    index: Sequence[str]
    strangers: Sequence[str]
    hosts: Sequence[str]
    kind_of: Mapping[str, int]
    seed: int


def grounds(dataset: Path, cache: Path, originals: int) -> tuple[Ground, Ground]:
    """To calibrate on: training pictures. To measure on: pictures that no training saw, with other edits."""
    library = opened(dataset, cache)
    split, kinds = library.split(), library.groups().tolist()
    kind_of = dict(zip(library.paths, kinds, strict=True))
    alone = {kind for kind in set(kinds) if kinds.count(kind) == 1}

    def names(places: NDArray[np.int64]) -> list[str]:
        return [library.paths[place] for place in places]

    rng = np.random.default_rng(11)
    train = [str(name) for name in rng.permutation(names(split.train))]
    plain = [name for name in train if kind_of[name] in alone and name.split("/")[0] not in BURSTS]
    chosen = plain[:originals]
    calibration = Ground(
        originals=chosen,
        index=chosen + [name for name in train[:2500] if name not in chosen],
        strangers=train[2500:3000],
        hosts=plain[-500:],
        kind_of=kind_of,
        seed=1,
    )
    drawn = names(split.train[np.linspace(0, len(split.train) - 1, 1650).astype(int)])
    unseen = Ground(
        originals=names(split.originals[:originals]),
        index=names(split.originals) + names(split.distractors) + drawn,
        strangers=names(split.negatives[:500]),
        hosts=names(split.distractors),
        kind_of=kind_of,
        seed=0,
    )
    return calibration, unseen


def pairs(dataset: Path, ground: Ground) -> Iterator[Pair]:
    """Copies: every edit of every original with it. Others: the two nearest by the network of every stranger,
    the nearest wrong one of every edit that brings in no other picture, and made-up pages."""
    network = model("facsimile")

    def described(data: bytes) -> Description:
        return describe(data, model=network)

    stored = {name: described((dataset / name).read_bytes()) for name in ground.index}
    vectors = np.stack([each.vector for each in stored.values() if each.vector is not None])

    def wrong(kind: str, query: Description, name: str, most: int) -> Iterator[Pair]:
        found = 0
        for place in np.argsort(-(vectors @ query.vector)):
            other = ground.index[place]
            if ground.kind_of[other] != ground.kind_of[name] and found < most:
                found += 1
                yield Pair.of(kind, query, stored[other], other, copy=False)

    for name in ground.originals:
        data = (dataset / name).read_bytes()
        for edit in (*ATTACKS, *_EDITS):
            rng = np.random.default_rng([ground.seed, *edit.encode(), *name.encode()])
            made = (
                attack(data, edit, ground.seed)
                if edit in ATTACKS
                else _EDITS[edit](data, rng, _Hosts(dataset, ground))
            )
            query = described(made)
            yield Pair.of(edit, query, stored[name], name, copy=True)
            if not edit.startswith(("paste", "collage")):
                yield from wrong("edited", query, name, 1)
    for name in ground.strangers:
        query = described((dataset / name).read_bytes())
        series = name.split("/")[0] in BURSTS
        yield from wrong("series" if series else "plain", query, name, 2)
    yield from _made_up(dataset, ground, described)


@dataclass(frozen=True)
class _Hosts:
    dataset: Path
    ground: Ground

    def draw(self, rng: np.random.Generator) -> Picture:
        return _opened((self.dataset / str(rng.choice(self.ground.hosts))).read_bytes())


def _opened(data: bytes) -> Picture:
    return Image.open(io.BytesIO(data)).convert("RGB")


def _encoded(picture: Picture, quality: int = 90) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _cut(picture: Picture, area: float, rng: np.random.Generator) -> Picture:
    width, height = (round(side * area**0.5) for side in picture.size)
    left, top = (
        int(rng.integers(0, whole - part + 1))
        for whole, part in zip(picture.size, (width, height), strict=True)
    )
    return picture.crop((left, top, left + width, top + height))


Edit = Callable[[bytes, np.random.Generator, _Hosts], bytes]


def _keep(area: float) -> Edit:
    return lambda data, rng, hosts: _encoded(_cut(_opened(data), area, rng))


def _paste(share: float) -> Edit:
    def edit(data: bytes, rng: np.random.Generator, hosts: _Hosts) -> bytes:
        page = hosts.draw(rng)
        page = page.resize((max(_PAGE, page.width), round(page.height * max(_PAGE, page.width) / page.width)))
        small = ImageOps.contain(_opened(data), (round(share * page.width), page.height))
        left, top = (
            int(rng.integers(0, side - part + 1)) for side, part in zip(page.size, small.size, strict=True)
        )
        page.paste(small, (left, top))
        return _encoded(page)

    return edit


def _squashed(picture: Picture) -> Picture:
    return picture.resize((2 * picture.width // 3, picture.height))


def _collage(data: bytes, rng: np.random.Generator, hosts: _Hosts) -> bytes:
    page = Image.new("RGB", (640, 480), "white")
    pictures = [_opened(data), *(hosts.draw(rng) for _ in range(3))]
    for place, which in enumerate(rng.permutation(4)):
        page.paste(ImageOps.contain(pictures[which], (312, 232)), (place % 2 * 320 + 4, place // 2 * 240 + 4))
    return _encoded(page)


_EDITS: dict[str, Edit] = {
    "crop_40": _keep(0.4),
    "crop_30": _keep(0.3),
    "crop_20": _keep(0.2),
    "crop_10": _keep(0.1),
    "paste_50": _paste(0.5),
    "paste_35": _paste(0.35),
    "paste_25": _paste(0.25),
    "paste_15": _paste(0.15),
    "collage": _collage,
    "mirror_crop": lambda data, rng, hosts: _encoded(ImageOps.mirror(_cut(_opened(data), 0.5, rng))),
    "squash": lambda data, rng, hosts: _encoded(_squashed(_opened(data))),
    "jpeg_q5": lambda data, rng, hosts: _encoded(_opened(data), 5),
}


def _made_up(dataset: Path, ground: Ground, described: Callable[[bytes], Description]) -> Iterator[Pair]:
    """Two pictures with the same logo, two pages of text, two walls of tiles, 100 pairs of each."""
    rng = np.random.default_rng(ground.seed)
    for number in range(100):
        logo = _Hosts(dataset, ground).draw(rng).resize((80, 80))
        for kind, page in (("logo", _branded), ("text", _text), ("tiles", _tiles)):
            hosts = _Hosts(dataset, ground)
            first, second = (described(_encoded(page(rng, hosts, logo))) for _ in range(2))
            yield Pair.of(kind, first, second, f"{kind} {number}", copy=False)


def _branded(rng: np.random.Generator, hosts: _Hosts, logo: Picture) -> Picture:
    page = ImageOps.fit(hosts.draw(rng), (320, 240))
    page.paste(logo, (12, 12))
    return page


_WORDS = ("record", "copy", "match", "band", "distance", "query", "index", "hash", "the", "of", "a", "is")


def _text(rng: np.random.Generator, hosts: _Hosts, logo: Picture) -> Picture:
    page, font = Image.new("RGB", (480, 640), "white"), ImageFont.load_default(15)
    for line in range(30):
        ImageDraw.Draw(page).text((30, 20 + 20 * line), " ".join(rng.choice(_WORDS, 9)), "black", font)
    return page


def _tiles(rng: np.random.Generator, hosts: _Hosts, logo: Picture) -> Picture:
    """A wall of one motif, each wall of another."""
    motif, page = hosts.draw(rng).resize((40, 40)), Image.new("RGB", (320, 240), "gray")
    for x in range(0, 320, 44):
        for y in range(0, 240, 44):
            page.paste(motif, (x, y))
    return page
