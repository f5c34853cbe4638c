"""Further pictures for training: gather public sources, decode them once, split them by digest.

``python -m training.gather download --folder <sources>`` fetches the packages by name with pip and apt (their
ordinary clients) and unpacks them. ``python -m training.gather build --folder <sources> --clothing <git>
--grocery <git> --cache <cache>`` decodes all sources; the two repositories are given as git folders (bare or
not), read without a checkout.

Every source becomes ``<cache>/sources/<name>/``: squares of ``SIDE`` pixels and a list of items (digest of
the file, class). Pictures with the same content are kept once. ``<cache>/sources/pairs.npy`` holds the
near-duplicates over all sources: they are never negatives of one another, and a group of them never lies on
both sides of the split. Held-out items are chosen by digest, and whole classes are held out besides;
``held_out.json`` lists their digests, so that no later change of these rules can move one into training.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from datasets.photographs import DUPLICATE_DISTANCE, Bytes, near_pairs

SIDE = 256
SMALLEST = 192
"""Pictures with a shorter side below this are left out."""
LONGEST_ASPECT = 3.5
HELD_OUT_SHARE = 0.1
HELD_OUT = Path(__file__).parent / "held_out.json"
ENDINGS = (".jpg", ".jpeg", ".png", ".gif", ".webp")


@dataclass(frozen=True)
class Source:
    """Where the pictures of a source are.

    ``package`` is of Debian, or of PyPI with a version; none means a git folder given on the command line.
    ``inside`` is the part of it that is read, ``depth`` the number of leading folders below ``inside`` that
    make a class, ``left_out`` the classes that are held out whole.
    """

    name: str
    package: str = ""
    inside: str = ""
    depth: int = 1
    left_out: tuple[str, ...] = ()


SOURCES = (
    Source("clothing", depth=2, left_out=("train/hat", "validation/hat", "test/hat", "train/skirt")),
    Source("grocery", inside="dataset/train/", depth=3, left_out=("Packages/Juice", "Fruit/Melon")),
    Source("openclipart", "openclipart-png", "usr/share/openclipart/png/", 2, ("food", "transportation")),
    Source("wesnoth", "wesnoth-1.16-data", "usr/share/games/wesnoth/", 4),
    Source("kstars", "kstars-data", "usr/share/", 4),
    Source("opencv", "opencv-doc", "usr/share/doc/opencv-doc/", 2),
    Source("grass", "grass-doc", "usr/share/doc/grass-doc/html/", 1),
    Source("kgeography", "kgeography-data", "usr/share/kgeography/", 2, ("flags/japan",)),
    Source("statsmodels", "python-statsmodels-doc", "usr/share/doc/python-statsmodels-doc/html/", 1),
    Source("tuxpaint", "tuxpaint-stamps-default", "usr/share/tuxpaint/stamps/", 2, ("animals/birds",)),
    Source("matplotlib", "matplotlib==3.8.4", "", 5),
)


@dataclass(frozen=True)
class Item:
    digest: str
    source: str
    family: str
    """The class of the picture within its source: look-alikes, but different pictures."""


def download(folder: Path) -> None:
    """Fetch and unpack every package into ``<folder>/<name>``."""
    for source in SOURCES:
        target = (folder / source.name).resolve()
        if not source.package or target.exists():
            continue
        packages = (folder / "packages").resolve()
        packages.mkdir(parents=True, exist_ok=True)
        before = set(packages.iterdir())
        if "==" in source.package:
            name = source.package.split("==")[0]
            options = ["--no-deps", "--no-binary", name, "--dest", str(packages)]
            subprocess.run([sys.executable, "-m", "pip", "download", *options, source.package], check=True)
        else:
            subprocess.run(["apt-get", "download", source.package], cwd=packages, check=True)
        (archive,) = set(packages.iterdir()) - before
        target.mkdir()
        unpack = (
            ["tar", "-xf", str(archive), "-C"] if "==" in source.package else ["dpkg-deb", "-x", str(archive)]
        )
        subprocess.run([*unpack, str(target)], check=True)


def files_of_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Relative path and content of each picture of a folder, sorted."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in ENDINGS and path.is_file() and not path.is_symlink():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def files_of_git(repository: Path, inside: str) -> Iterator[tuple[str, bytes]]:
    """Path and content of each picture of the newest commit, without a checkout."""
    git = ["git", f"--git-dir={repository}"]
    listing = subprocess.run([*git, "ls-tree", "-r", "-z", "HEAD"], check=True, capture_output=True).stdout
    entries = [entry.split("\t") for entry in listing.decode().split("\0") if entry]
    wanted = [(name, head.split()[2]) for head, name in entries]
    wanted = [(n, o) for n, o in wanted if n.startswith(inside) and n.lower().endswith(ENDINGS)]
    with subprocess.Popen(
        [*git, "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        if reader.stdin is None or reader.stdout is None:
            raise RuntimeError("git cat-file has no pipes")
        for name, blob in wanted:
            reader.stdin.write(blob.encode() + b"\n")
            reader.stdin.flush()
            length = int(reader.stdout.readline().split()[2])
            content = reader.stdout.read(length + 1)[:length]
            yield name.removeprefix(inside), content
        reader.stdin.close()


def ground_of(digest: str, size: tuple[int, int]) -> Image.Image:
    """What a transparent picture is put on: white as a rule, else black, a colour or a ramp of two."""
    rng = np.random.default_rng(int(digest[:12], 16))
    kind = rng.random()
    if kind < 0.55:
        return Image.new("RGB", size, "white")
    if kind < 0.65:
        return Image.new("RGB", size, "black")
    first, second = (tuple(int(v) for v in rng.integers(0, 256, 3)) for _ in range(2))
    plain = Image.new("RGB", size, first)
    if kind < 0.85:
        return plain
    ramp = Image.linear_gradient("L").rotate(90 * int(rng.integers(4))).resize(size)
    return Image.composite(plain, Image.new("RGB", size, second), ramp)


def decode(content: bytes, digest: str) -> Bytes | None:
    """The first frame as a square, or ``None`` for what is too small, too long, nearly plain or broken."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            if min(width, height) < SMALLEST or max(width, height) > LONGEST_ASPECT * min(width, height):
                return None
            image.draft("RGB", (2 * SIDE, 2 * SIDE))
            if image.has_transparency_data:
                rgba = image.convert("RGBA")
                shown = ground_of(digest, rgba.size)
                shown.paste(rgba, mask=rgba.getchannel("A"))
            else:
                shown = image.convert("RGB")
            square = np.asarray(shown.resize((SIDE, SIDE), Image.Resampling.BOX))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return square if square.std() >= 8 else None


def read_source(
    source: Source, files: Iterator[tuple[str, bytes]], seen: set[str]
) -> tuple[list[Item], list[Bytes]]:
    """Items and squares of one source, without what was seen before (the same file or pixels)."""
    items: list[Item] = []
    squares: list[Bytes] = []
    for name, content in files:
        digest = hashlib.sha256(content).hexdigest()[:16]
        if digest in seen:
            continue
        seen.add(digest)
        square = decode(content, digest)
        if square is None:
            continue
        pixels = hashlib.sha256(square.tobytes()).hexdigest()
        if pixels in seen:
            continue
        seen.add(pixels)
        family = "/".join(name.split("/")[: source.depth][: max(1, name.count("/"))])
        items.append(Item(digest, source.name, family))
        squares.append(square)
    return items, squares


def joined(count: int, pairs: NDArray[np.int32]) -> NDArray[np.int64]:
    """One number for all members of a group of near-duplicates (transitively)."""
    parent = np.arange(count)

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = int(parent[index])
        return index

    for a, b, _ in pairs:
        parent[root(int(a))] = root(int(b))
    return np.array([root(i) for i in range(count)], np.int64)


def choose_held_out(items: list[Item], groups: NDArray[np.int64], sources: tuple[Source, ...]) -> set[str]:
    """Digests of the held-out items: one group in ten by its smallest digest, and whole classes."""
    left_out = {(source.name, prefix) for source in sources for prefix in source.left_out}
    smallest: dict[int, str] = {}
    whole: set[int] = set()
    for item, group in zip(items, groups.tolist(), strict=True):
        smallest[group] = min(item.digest, smallest.get(group, item.digest))
        if any(item.source == s and item.family.startswith(prefix) for s, prefix in left_out):
            whole.add(group)
    chosen = {g for g, digest in smallest.items() if int(digest[:8], 16) < HELD_OUT_SHARE * 2**32} | whole
    return {item.digest for item, group in zip(items, groups.tolist(), strict=True) if group in chosen}


def listed_held_out(listing: Path = HELD_OUT) -> set[str]:
    """The digests in ``held_out.json``."""
    if not listing.exists():
        return set()
    listed: dict[str, list[str]] = json.loads(listing.read_text(encoding="utf-8"))
    return {digest for digests in listed.values() for digest in digests}


def build(
    folder: Path,
    repositories: dict[str, Path],
    cache: Path,
    sources: tuple[Source, ...] = SOURCES,
    listing: Path = HELD_OUT,
) -> None:
    """Decode all sources, find the near-duplicates, write the split; what was held out before stays so."""
    target = cache / "sources"
    everything: list[Item] = []
    blocks: list[Bytes] = []
    seen: set[str] = set()
    for source in sources:
        if source.name in repositories:
            files = files_of_git(repositories[source.name], source.inside)
        else:
            files = files_of_folder(folder / source.name / source.inside)
        items, squares = read_source(source, files, seen)
        print(f"{source.name:12} {len(items):6}", flush=True)
        if not items:
            continue
        (target / source.name).mkdir(parents=True, exist_ok=True)
        block = np.stack(squares)
        np.save(target / source.name / "images.npy", block)
        rows = [(item.digest, item.family) for item in items]
        (target / source.name / "items.json").write_text(json.dumps(rows), encoding="utf-8")
        everything += items
        blocks.append(block)
    pairs = near_pairs(np.concatenate(blocks), DUPLICATE_DISTANCE)
    np.save(target / "pairs.npy", pairs)
    groups = joined(len(everything), pairs)
    held_out = choose_held_out(everything, groups, sources) | listed_held_out(listing)
    by_source: dict[str, list[str]] = {}
    for item in everything:
        if item.digest in held_out:
            by_source.setdefault(item.source, []).append(item.digest)
    listed = {name: sorted(digests) for name, digests in by_source.items()}
    listing.write_text(json.dumps(listed, indent=0) + "\n", encoding="utf-8")
    kept = sum(len(digests) for digests in listed.values())
    print(f"{len(everything)} pictures, {len(pairs)} near-duplicate pairs, {kept} held out")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("download", "build"))
    parser.add_argument("--folder", type=Path, required=True, help="folder of the unpacked packages")
    parser.add_argument("--clothing", type=Path, help="git folder of alexeygrigorev/clothing-dataset-small")
    parser.add_argument("--grocery", type=Path, help="git folder of marcusklasson/GroceryStoreDataset")
    parser.add_argument("--cache", type=Path, help="for build: the folder for the decoded pictures")
    arguments = parser.parse_args()
    if arguments.action == "download":
        download(arguments.folder)
        return
    if arguments.cache is None:
        parser.error("build needs --cache")
    given = {"clothing": arguments.clothing, "grocery": arguments.grocery}
    build(arguments.folder, {name: path for name, path in given.items() if path is not None}, arguments.cache)


if __name__ == "__main__":
    main()
