"""Overlays and fixed scenes: what is laid over a photograph is a copy, other contents in one scene are none.

    python -m benchmarks.overlays DATASET --work WORK [--scenes 6] [--members 4] [--originals 40]

`DATASET` is a folder of photographs. From them come families of fixed scenes (one camera, room, game, poster
with other contents), in which no ordered pair is a copy, and photographs with something laid over them, which
are copies. Each pair is decided as `facsimile compare` does it. Wrong answers of either sort are painted side
by side in WORK, to be looked at. `--covered` sets the evidence that an overlay needs. Captions of two on one
photograph count as contents of their own.
"""

from __future__ import annotations

import argparse
import io
import itertools
import random
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

from benchmarks.families import Count, described, is_copy, paint
from datasets.rendered import base
from datasets.rendered.scenes import blob
from facsimile.search.evaluation.attacks import attack
from facsimile.search.proof import Policy

Picture = Image.Image
Photos = Callable[[random.Random], Picture]
Scene = Callable[[random.Random, random.Random, Photos], Picture]
Cover = Callable[[Picture, random.Random, Photos], Picture]

SIZE = (640, 480)

#: edits of `facsimile evaluate` that lay something over a picture
_ATTACKS = ("text", "logo", "meme", "social_mix")


def _room(template: random.Random, photos: Photos) -> Picture:
    return ImageOps.fit(photos(template), SIZE)


def _thing(rng: random.Random, photos: Photos, side: int) -> tuple[Picture, Picture]:
    """Something with a mask: a photograph in a closed outline."""
    return base.filled(photos(rng), side, side), blob(rng, side, 0.35)


def street(template: random.Random, content: random.Random, photos: Photos) -> Picture:
    """Things at other places before one fixed camera."""
    page = _room(template, photos)
    for _ in range(template.randint(1, 3)):
        thing, mask = _thing(content, photos, content.randint(80, 170))
        page.paste(thing, (content.randint(0, 470), content.randint(120, 330)), mask)
    return page


def exchanged(template: random.Random, content: random.Random, photos: Photos) -> Picture:
    """Another thing at one place."""
    page = _room(template, photos)
    place = (template.randint(20, 430), template.randint(80, 290))
    thing, mask = _thing(content, photos, template.randint(110, 180))
    page.paste(thing, place, mask)
    return page


def framed(template: random.Random, content: random.Random, photos: Photos) -> Picture:
    """Another picture in one frame on the wall."""
    page = _room(template, photos)
    width, height = template.randint(90, 180), template.randint(80, 150)
    left, top = template.randint(10, 430), template.randint(10, 300)
    ImageDraw.Draw(page).rectangle(
        (left - 8, top - 8, left + width + 8, top + height + 8), base.dark(template)
    )
    page.paste(base.filled(photos(content), width, height), (left, top))
    return page


def game(template: random.Random, content: random.Random, photos: Photos) -> Picture:
    """The bars, map and counter of a game over one scene."""
    page = _room(template, photos)
    draw = ImageDraw.Draw(page)
    draw.rectangle((10, 420, 220, 470), "#202020", "#cccccc", 3)
    for top, colour in ((426, "#d02020"), (448, "#2050d0")):
        draw.rectangle((16, top, 16 + content.randint(20, 195), top + 16), colour)
    draw.ellipse((520, 10, 630, 120), "#304030", "#cccccc", 4)
    for _ in range(4):
        x, y = content.randint(540, 600), content.randint(30, 95)
        draw.ellipse((x, y, x + 9, y + 9), base.colour(content))
    draw.text((300, 16), base.number(content, 5), "yellow", ImageFont.load_default(36))
    return page


def poster(template: random.Random, content: random.Random, photos: Photos) -> Picture:
    """The portrait and the name of another guest on one poster."""
    page = ImageOps.fit(photos(template), (480, 640))
    page.paste(base.filled(photos(content), 190, 190), (145, 180))
    name = base.name(content)
    font = ImageFont.load_default(36)
    ImageDraw.Draw(page).text((240, 430), name, "yellow", font, anchor="mm", stroke_width=2)
    return page


def captions(template: random.Random, content: random.Random, photos: Photos) -> Picture:
    """What others write on one photograph."""
    return caption(_room(template, photos), content, photos, lines=2)


def caption(picture: Picture, rng: random.Random, photos: Photos, lines: int = 3) -> Picture:
    page = picture.copy()
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(max(12, page.width / 14))
    for line in range(lines):
        place = (page.width / 2, page.height * (2 * line + 1) / (2 * lines))
        text = base.words(rng, 3).upper()
        draw.text(place, text, "white", font, anchor="mm", stroke_width=3, stroke_fill="black")
    return page


def sticker(picture: Picture, rng: random.Random, photos: Photos) -> Picture:
    page = picture.copy()
    side = round(min(page.size) * rng.uniform(0.25, 0.45))
    thing, mask = _thing(rng, photos, side)
    page.paste(thing, (rng.randint(0, page.width - side), rng.randint(0, page.height - side)), mask)
    return page


def badge(picture: Picture, rng: random.Random, photos: Photos) -> Picture:
    page = picture.copy()
    side = round(min(page.size) * rng.uniform(0.2, 0.4))
    left, top = rng.randint(0, page.width - side), rng.randint(0, page.height - side)
    draw = ImageDraw.Draw(page)
    draw.ellipse((left, top, left + side, top + side), rng.choice(("red", "gold", "#0066cc")))
    centre = (left + side / 2, top + side / 2)
    draw.text(centre, "-50%", "white", ImageFont.load_default(side * 0.3), anchor="mm")
    return page


def band(picture: Picture, rng: random.Random, photos: Photos) -> Picture:
    page = picture.copy()
    draw, top = ImageDraw.Draw(page), rng.choice((0.0, 0.42, 0.84)) * page.height
    draw.rectangle((0, top, page.width, top + 0.16 * page.height), rng.choice(("black", "white", "#bb0000")))
    place, font = (page.width / 2, top + 0.08 * page.height), ImageFont.load_default(page.height * 0.08)
    draw.text(place, base.words(rng, 4), "gray", font, anchor="mm")
    return page


SCENES: dict[str, Scene] = {
    each.__name__: each for each in (street, exchanged, framed, game, poster, captions)
}
COVERS: dict[str, Cover] = {
    "caption of three lines": caption,
    "sticker": sticker,
    "badge": badge,
    "band": band,
}


def encoded(picture: Picture, quality: int = 88) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def wrong_copies(scene: str, scenes: int, members: int, photos: Photos, policy: Policy, work: Path) -> Count:
    """Members of families called copies of each other."""
    count = Count()
    for number in range(scenes):
        named = f"overlays/{scene}/{number}"
        files = [
            encoded(SCENES[scene](random.Random(named), random.Random(f"{named}/{member}"), photos))
            for member in range(members)
        ]
        own = described(files)
        for first, second in itertools.permutations(range(len(own)), 2):
            called = is_copy(own[first], own[second], policy)
            count.add(called)
            if called:
                paint(files[first], files[second], work / f"wrong-{scene}-{number}-{first}-{second}.jpg")
    return count


def covered(original: Picture, seed: int, photos: Photos) -> dict[str, bytes]:
    """The photograph with each of the overlays."""
    data = encoded(original, 95)
    made = {name: attack(data, name, seed) for name in _ATTACKS}
    for name, cover in COVERS.items():
        made[name] = encoded(cover(original, random.Random(f"overlays/{name}/{seed}"), photos))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("dataset", type=Path, help="folder of photographs")
    parser.add_argument("--work", type=Path, required=True, help="folder for the pairs that are wrong")
    parser.add_argument("--scenes", type=int, default=6, help="families of each kind")
    parser.add_argument("--members", type=int, default=4, help="pictures of each family")
    parser.add_argument("--originals", type=int, default=40, help="photographs that something is laid over")
    parser.add_argument("--covered", type=float, default=Policy().covered, help="evidence of an overlay")
    chosen = parser.parse_args()
    policy = Policy(covered=chosen.covered)
    chosen.work.mkdir(parents=True, exist_ok=True)
    paths = sorted(path for path in chosen.dataset.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))

    def photos(rng: random.Random) -> Picture:
        return Image.open(rng.choice(paths)).convert("RGB")

    print("| fixed scenes | members called copies |\n| --- | --: |", flush=True)
    total = Count()
    for scene in SCENES:
        count = wrong_copies(scene, chosen.scenes, chosen.members, photos, policy, chosen.work)
        total.called, total.pairs = total.called + count.called, total.pairs + count.pairs
        print(f"| {scene} | {count} |", flush=True)
    print(f"| all | {total} |\n\n| laid over | called copies |\n| --- | --: |")
    counts: dict[str, Count] = {}
    drawn = random.Random("overlays").sample(paths, chosen.originals)
    for seed, path in enumerate(drawn):
        original = Image.open(path).convert("RGB")
        made = covered(original, seed, photos)
        own, *copies = described([encoded(original, 95), *made.values()])
        for (name, data), copy in zip(made.items(), copies, strict=True):
            called = is_copy(own, copy, policy)
            counts.setdefault(name, Count()).add(called)
            if not called:
                paint(encoded(original), data, chosen.work / f"missed-{name}-{seed}.jpg")
    for name, count in counts.items():
        print(f"| {name} | {count} |")
    called, pairs = (sum(getattr(count, field) for count in counts.values()) for field in ("called", "pairs"))
    print(f"| all | {Count(called, pairs)} |")


if __name__ == "__main__":
    main()
