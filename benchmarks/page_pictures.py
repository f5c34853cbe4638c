"""Takes the pictures of the page for the README, over landscapes that it paints itself.

python benchmarks/page_pictures.py        # writes docs/images/page-*.webp; needs Chromium
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from playwright.sync_api import Browser, Page, sync_playwright

import facsimile

ROOT = Path(__file__).parent.parent

IMAGES = ROOT / "docs" / "images"
SIZE = (960, 640)

Colour = tuple[int, int, int]

#: a title, the seed of its shapes, and the colours of the sky above and below, the sun, and the hills
PAINTINGS: list[tuple[str, int, Colour, Colour, Colour, Colour]] = [
    ("Evening over the fells", 3, (58, 66, 120), (248, 176, 128), (255, 236, 190), (52, 44, 84)),
    ("First frost", 5, (150, 188, 214), (238, 242, 240), (255, 252, 236), (60, 96, 120)),
    ("The long valley", 8, (112, 170, 196), (250, 232, 190), (255, 244, 206), (36, 92, 74)),
    ("Copper hills", 13, (222, 150, 96), (252, 222, 168), (255, 248, 220), (120, 48, 30)),
    ("Night ferry", 21, (14, 20, 48), (64, 84, 132), (238, 240, 250), (8, 14, 32)),
    ("Heather in August", 34, (140, 150, 200), (246, 214, 222), (255, 246, 226), (104, 46, 104)),
    ("After the rain", 55, (96, 128, 132), (206, 222, 206), (246, 250, 232), (24, 66, 60)),
    ("Salt flats", 89, (176, 206, 220), (250, 238, 226), (255, 255, 246), (150, 120, 110)),
    ("The red barn road", 144, (88, 140, 180), (252, 226, 176), (255, 240, 200), (130, 60, 40)),
    ("Pines at dusk", 233, (46, 52, 92), (220, 140, 130), (255, 220, 180), (18, 30, 44)),
]


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """A colour between two."""
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))  # type: ignore[return-value]


def painted(seed: int, above: Colour, below: Colour, sun: Colour, hill: Colour) -> Image.Image:
    """A landscape: sky, sun, five ranges of hills with trees, and the strokes of a brush."""
    rng = np.random.default_rng(seed)
    width, height = SIZE
    picture = Image.new("RGB", SIZE)
    draw = ImageDraw.Draw(picture)
    for row in range(height):
        draw.line([(0, row), (width, row)], mixed(above, below, min(1.0, 1.5 * row / height)))
    x, y, radius = rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.4) * height, rng.uniform(28, 60)
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], sun)
    places = np.arange(width)
    for layer in range(5):
        times, phases = rng.uniform(0.5, 2 + 2 * layer, (6, 1)), rng.uniform(0, 7, (6, 1))
        waves = np.sin(2 * np.pi * times * places / width + phases) / np.arange(1, 7)[:, None]
        top = height * (0.42 + 0.11 * layer) - 26 * waves.sum(axis=0)
        colour = mixed(below, hill, 0.3 + 0.16 * layer)
        draw.polygon([(0, height), *zip(places.tolist(), top.tolist(), strict=True), (width, height)], colour)
        for at in rng.integers(0, width, 140):
            start = rng.uniform(top[at] + 4, height)
            tone = mixed(colour, sun if rng.random() < 0.4 else (0, 0, 0), rng.uniform(0.04, 0.22))
            draw.line([(at, start), (at + rng.uniform(8, 46), start + rng.uniform(-7, 7))], tone, 3)
        for at in rng.integers(0, width, 6 * layer):
            size = rng.uniform(8, 14) * (1 + layer / 2)
            foot = top[at] + rng.uniform(0, 30)
            crown = [(at - size / 3, foot), (at, foot - 2 * size), (at + size / 3, foot)]
            draw.polygon(crown, mixed(colour, (0, 0, 0), 0.35))
    return picture.filter(ImageFilter.GaussianBlur(0.6))


def edited(picture: Image.Image) -> Image.Image:
    """What somebody else made of it: mirrored, cut, in warmer colours, smaller."""
    width, height = picture.size
    cut = picture.crop((round(0.22 * width), round(0.1 * height), round(0.92 * width), round(0.88 * height)))
    red, green, blue = (
        ImageEnhance.Color(cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).enhance(1.25).split()
    )
    warm = Image.merge("RGB", (red.point(lambda v: min(255, v * 1.08)), green, blue.point(lambda v: v * 0.9)))
    return warm.resize((540, 400))


def jpeg(picture: Image.Image) -> bytes:
    """Its file."""
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def settled(page: Page) -> None:
    """Wait until all pictures that are seen are there."""
    page.wait_for_function(
        "[...document.images].filter((one) => one.checkVisibility())"
        ".every((one) => one.complete && one.naturalWidth)"
    )


def shoot(page: Page, name: str) -> None:
    """Write what is seen as a WebP."""
    with Image.open(BytesIO(page.screenshot())) as picture:
        picture.save(IMAGES / name, quality=82)


def take(url: str, browser: Browser, suspect: Path) -> None:
    """Both pictures of the page at an address."""
    page = browser.new_page(viewport={"width": 1180, "height": 760})
    page.goto(url)
    page.set_input_files("#search-file", suspect)
    page.wait_for_function("document.querySelectorAll('#matches article').length")
    settled(page)
    shoot(page, "page-search.webp")
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.click("nav [href='#browse']")
    page.wait_for_function("document.querySelectorAll('#stored li').length")
    settled(page)
    shoot(page, "page-browse.webp")


def main() -> None:
    """Paint, serve, store, and look."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        index = folder / "index"
        command = [sys.executable, *f"-m facsimile serve --create --index {index} --port 0".split()]
        with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
            try:
                show(address(folder / "log"), folder)
            finally:
                server.terminate()


def address(log: Path) -> str:
    """Where the server says that it is."""
    for _ in range(600):
        if found := re.search(r"at (http://\S+\d)", log.read_text()):
            return found[1]
        time.sleep(0.1)
    raise SystemExit(log.read_text())


def show(url: str, folder: Path) -> None:
    """Store the paintings, and look at the page."""
    paintings = {title: painted(seed, *colours) for title, seed, *colours in PAINTINGS}
    with facsimile.Client(url) as client:
        for title, painting in paintings.items():
            client.add(jpeg(painting), id=title, collection="paintings", title=title)
    suspect = folder / "found-on-a-poster.jpg"
    suspect.write_bytes(jpeg(edited(paintings["The red barn road"])))
    with facsimile.Client(url) as client:
        client.search(suspect)  # the first search of a process takes longer
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), chromium_sandbox=os.geteuid() != 0
        )
        take(url, browser, suspect)
        browser.close()


if __name__ == "__main__":
    main()
