"""Gathering pictures for training: what is kept, what counts as a near-duplicate, and what is held out."""

import json
import subprocess

import numpy as np
import pytest
from PIL import Image

from datasets.photographs import CACHE_SIZE, near_pairs
from training.gather import SIDE, Source, build, decode, files_of_git, listed_held_out
from training.pool import Pool

SOURCES = (Source("clothing"), Source("kstars", "kstars-data", depth=1, left_out=("maps",)))


def scene(seed, size=(320, 240)):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def git(folder, *arguments):
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    """A cache built from a git repository and a folder."""
    root = tmp_path_factory.mktemp("gather")
    work = root / "work"
    (work / "train" / "hat").mkdir(parents=True)
    for seed in range(30):
        scene(seed).save(work / "train" / "hat" / f"{seed}.jpg", quality=90)
        scene(seed).save(work / "train" / "hat" / f"{seed}-again.jpg", quality=60)
    git(work, "init", "--quiet")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "pictures")
    folder = root / "sources" / "kstars"
    for name in ("charts", "maps"):
        (folder / name).mkdir(parents=True)
        for seed in range(12):
            scene(100 * ord(name[0]) + seed).save(folder / name / f"{seed}.png")
    scene(5).save(folder / "charts" / "also_in_git.png")
    scene(77, (100, 100)).save(folder / "charts" / "too_small.png")
    Image.new("RGB", (400, 300), "white").save(folder / "charts" / "plain.png")
    (folder / "charts" / "broken.png").write_bytes(b"no picture")
    (folder / "charts" / "copy.png").write_bytes((folder / "charts" / "0.png").read_bytes())
    cache = root / "cache"
    build(root / "sources", {"clothing": work / ".git"}, cache, SOURCES, root / "held_out.json")
    return root, cache


def items(cache, name):
    return json.loads((cache / "sources" / name / "items.json").read_text())


def test_each_picture_is_kept_once_and_unusable_ones_are_not(gathered):
    _, cache = gathered
    assert len(items(cache, "clothing")) == 60
    assert {family for _, family in items(cache, "clothing")} == {"train"}
    assert (
        len(items(cache, "kstars")) == 25
    )  # twelve of each class and the scene that is also in the repository
    assert np.load(cache / "sources" / "kstars" / "images.npy").shape == (25, SIDE, SIDE, 3)


def test_a_group_of_near_duplicates_is_on_one_side_of_the_split(gathered):
    root, cache = gathered
    held_out = listed_held_out(root / "held_out.json")
    digests = [digest for digest, _ in items(cache, "clothing") + items(cache, "kstars")]
    pairs = np.load(cache / "sources" / "pairs.npy")
    assert len(pairs) >= 30
    for first, second, _ in pairs:
        assert (digests[first] in held_out) == (digests[second] in held_out)


def test_whole_classes_are_held_out(gathered):
    root, cache = gathered
    held_out = listed_held_out(root / "held_out.json")
    maps = [digest for digest, family in items(cache, "kstars") if family == "maps"]
    assert len(maps) == 12
    assert held_out.issuperset(maps)
    assert len(held_out) < 60


def test_what_was_held_out_stays_held_out_when_the_rules_change(gathered, tmp_path):
    root, _ = gathered
    before = listed_held_out(root / "held_out.json")
    (tmp_path / "held_out.json").write_text((root / "held_out.json").read_text())
    plain = tuple(Source(source.name, source.package, depth=source.depth) for source in SOURCES)
    repositories = {"clothing": root / "work" / ".git"}
    build(root / "sources", repositories, tmp_path / "cache", plain, tmp_path / "held_out.json")
    assert listed_held_out(tmp_path / "held_out.json") == before


def test_git_is_read_without_a_checkout(gathered):
    root, _ = gathered
    files = dict(files_of_git(root / "work" / ".git", "train/"))
    assert len(files) == 60
    assert files["hat/3.jpg"] == (root / "work" / "train" / "hat" / "3.jpg").read_bytes()


def test_a_transparent_picture_is_put_on_a_ground(tmp_path):
    drawing = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    drawing.paste((200, 30, 30, 255), (100, 100, 200, 200))
    drawing.save(tmp_path / "drawing.png")
    content = (tmp_path / "drawing.png").read_bytes()
    grounds = {tuple(decode(content, f"{seed:016x}"[::-1])[4, 4].tolist()) for seed in range(1, 12)}
    assert len(grounds) > 1
    assert all(tuple(decode(content, f"{k:016x}")[128, 128]) == (200, 30, 30) for k in range(3))


def test_training_takes_nothing_that_is_held_out(gathered):
    root, cache = gathered
    images = np.stack([np.asarray(scene(500 + k, (CACHE_SIZE, CACHE_SIZE))) for k in range(2100)])
    np.save(cache / f"images-{CACHE_SIZE}.npy", images)
    np.save(cache / "pairs.npy", near_pairs(images[:2], 0))
    (cache / "paths.json").write_text(json.dumps([f"thing/{k:04}.jpg" for k in range(2100)]))
    (cache / "rendered").mkdir(exist_ok=True)
    np.save(
        cache / "rendered" / "images.npy", np.stack([np.asarray(scene(k, (SIDE, SIDE))) for k in range(4)])
    )
    rows = [("train", "clock", 0), ("train", "clock", 0), ("check", "clock", 0), ("check", "icon", 0)]
    (cache / "rendered" / "items.json").write_text(json.dumps(rows))
    pool = Pool.open(cache, root / "held_out.json")
    digests = [digest for name in ("clothing", "kstars") for digest, _ in items(cache, name)]
    held_out = listed_held_out(root / "held_out.json")
    trained = set(pool.train.tolist())
    assert len(pool.images) == 2100 + len(digests) + 4
    for position, digest in enumerate(digests, start=2100):
        assert (position in trained) == (digest not in held_out)
    rendered = 2100 + len(digests)
    assert [rendered + k in trained for k in range(4)] == [True, True, False, False]
    assert pool.family[rendered] == pool.family[rendered + 1] >= 0
    assert pool.group[rendered] != pool.group[rendered + 1]
