"""What is evaluated: which pictures are references, which are queries, and which answers are correct."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from facsimile.imaging.errors import FacsimileError, ImageError
from facsimile.search.errors import InvalidRequest
from facsimile.search.evaluation.attacks import ATTACKS, attack
from facsimile.search.evaluation.picture import EvaluationPicture

#: names of pictures
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".heic")
)

#: largest file that is read, in bytes
_MOST_BYTES = 50_000_000

#: share of the images whose edits are queries without a correct answer
STRANGERS = 0.2

#: images of a matrix at most: a larger one cannot be read
MATRIX = 40

#: called with the number of images checked so far, and their number in all
Checked = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class DatasetItem:
    """A picture of the data set: a file, as it is or edited (`edit` names the attack)."""

    path: Path
    edit: str = ""
    seed: int = 0

    def read(self) -> EvaluationPicture:
        """The picture. Raises ImageError and OSError."""
        data = self.path.read_bytes()
        return EvaluationPicture(attack(data, self.edit, self.seed) if self.edit else data)


@dataclass(frozen=True, eq=False)
class Task:
    """An evaluation.

    `group` names each query's part of the figures (the attack, the label, the kind of edit), `relevant` its
    correct references, `excluded` the query itself where it is among the references, `original` the picture
    that it comes from, for intervals. `skipped` are files that could not be read, with the reason.
    """

    mode: str
    references: Sequence[DatasetItem]
    queries: Sequence[DatasetItem]
    group: Sequence[str]
    relevant: Sequence[Sequence[int]]
    excluded: Sequence[int | None]
    original: Sequence[int]
    skipped: Sequence[tuple[str, str]] = ()
    words: str = ""
    pairs: Sequence[tuple[int, int, bool]] = field(default=())

    @property
    def groups(self) -> list[str]:
        return list(dict.fromkeys(self.group))


def images_in(folder: Path) -> list[Path]:
    """The image files of a folder and of the folders in it, in a fixed order. Raises InvalidRequest where
    there is no such folder or no image in it."""
    if not folder.is_dir():
        raise InvalidRequest(f"there is no folder {folder}")
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise InvalidRequest(f"there is no image in {folder}")
    return found


def readable(paths: Iterable[Path], most: int, checked: Checked) -> tuple[list[Path], list[tuple[str, str]]]:
    """The first `most` files that can be decoded, and those that cannot, with the reason."""
    good: list[Path] = []
    bad: list[tuple[str, str]] = []
    for path in paths:
        if len(good) == most:
            break
        try:
            if path.stat().st_size > _MOST_BYTES:
                raise ImageError(f"the file has more than {_MOST_BYTES:,} bytes")
            _ = EvaluationPicture(path.read_bytes()).luma
        except (FacsimileError, OSError) as error:
            bad.append((str(path), str(error)))
        else:
            good.append(path)
        checked(len(good), most)
    return good, bad


def attacks_task(folder: Path, *, images: int, attacks: Sequence[str], seed: int, checked: Checked) -> Task:
    """Edits of pictures of a folder; a fifth of the pictures are strangers, whose edits have no correct
    answer. Raises InvalidRequest for an unknown attack, and where fewer than two images can be read."""
    unknown = [name for name in attacks if name not in ATTACKS]
    if unknown:
        raise InvalidRequest(f"there is no attack {unknown[0]!r}; known are {', '.join(ATTACKS)}")
    found = images_in(folder)
    order = np.random.default_rng(seed).permutation(len(found))
    good, bad = readable((found[place] for place in order), min(images, len(found)), checked)
    _require(good, bad, folder, 2)
    strangers = round(STRANGERS * len(good)) if len(good) >= 5 else 0
    edits = "edits of one image have" if strangers == 1 else f"edits of {strangers} images have"
    stored = len(good) - strangers
    items = [DatasetItem(path) for path in good]
    queries = [DatasetItem(path, name, seed) for path in good for name in attacks]
    count = len(attacks)
    return Task(
        mode="attacks",
        references=items[:stored],
        queries=queries,
        group=[item.edit for item in queries],
        relevant=[(place,) if place < stored else () for place in range(len(good)) for _ in attacks],
        excluded=[None] * len(queries),
        original=[place for place in range(len(good)) for _ in range(count)],
        skipped=bad,
        words=f"{len(good)} images x {count} attacks (seed {seed}): {len(queries):,} queries to {stored} "
        f"references; the {edits} no correct answer.",
    )


def folders_task(folder: Path, *, images: int, seed: int, checked: Checked) -> Task:
    """Each picture asks for the others of its folder. Raises InvalidRequest for folders without labels."""
    found = images_in(folder)
    inside = [path for path in found if path.parent != folder]
    if not inside:
        raise InvalidRequest(
            f"the images of {folder} have no labels: put those of each object into a folder of its own"
        )
    order = np.random.default_rng(seed).permutation(len(inside))
    chosen = sorted(inside[place] for place in order[:images]) if len(inside) > images else inside
    good, bad = readable(chosen, len(chosen), checked)
    _require(good, bad, folder, 2)
    labels = [path.relative_to(folder).parts[0] for path in good]
    members = defaultdict(list)
    for place, label in enumerate(labels):
        members[label].append(place)
    if all(len(places) == 1 for places in members.values()):
        raise InvalidRequest(f"no folder of {folder} has two images, so there is nothing to find")
    items = [DatasetItem(path) for path in good]
    return Task(
        mode="folders",
        references=items,
        queries=items,
        group=labels,
        relevant=[
            [other for other in members[label] if other != place] for place, label in enumerate(labels)
        ],
        excluded=list(range(len(items))),
        original=list(range(len(items))),
        skipped=bad,
        words=f"{len(items)} images of {len(members)} objects; each asks for the others of its folder.",
    )


def pairs_task(folder: Path, file: Path, *, checked: Checked) -> Task:
    """Labelled pairs: a CSV file with the columns `first`, `second` (paths below the folder) and `copy`
    (1 or 0). Raises InvalidRequest for a file that is none of that."""
    rows = list(_rows(file))
    header = {name.strip().lower() for name in rows[0]} if rows else set()
    if not {"first", "second", "copy"} <= header:
        raise InvalidRequest(f"{file} needs the columns first, second and copy")
    names: dict[str, int] = {}
    pairs = []
    for number, row in enumerate(rows, 2):
        label = row["copy"].strip().lower()
        if label not in ("1", "0", "true", "false", "yes", "no"):
            raise InvalidRequest(f"{file}, line {number}: copy must be 1 or 0, not {row['copy']!r}")
        first, second = (names.setdefault(row[side].strip(), len(names)) for side in ("first", "second"))
        pairs.append((first, second, label in ("1", "true", "yes")))
    good, bad = readable((folder / name for name in names), len(names), checked)
    place = {path: number for number, path in enumerate(good)}
    known = [place.get(folder / name) for name in names]
    kept = []
    for one, other, copy in pairs:
        ends = known[one], known[other]
        if ends[0] is not None and ends[1] is not None:
            kept.append((ends[0], ends[1], copy))
    if not any(copy for *_, copy in kept) or all(copy for *_, copy in kept):
        raise InvalidRequest(f"{file} must name pairs that are copies and pairs that are not, all readable")
    items = [DatasetItem(path) for path in good]
    return _among_themselves(
        "pairs",
        items,
        bad,
        words=f"{len(kept)} labelled pairs of {len(items)} images, {sum(copy for *_, copy in kept)} of them "
        "copies.",
        pairs=sorted(kept, key=lambda pair: pair[0]),
    )


def query_task(folder: Path, query: Path, *, images: int, checked: Checked) -> Task:
    """One picture, and the pictures of a folder that are ranked by their similarity to it."""
    found = images_in(folder)
    good, bad = readable([query, *found], images + 1, checked)
    if not good or good[0] != query:
        raise InvalidRequest(f"the query image {query} cannot be read: {dict(bad).get(str(query), '')}")
    _require(good[1:], bad, folder, 1)
    items = [DatasetItem(path) for path in good]
    same = [place for place, item in enumerate(items[1:]) if item.path.resolve() == query.resolve()]
    return Task(
        mode="query",
        references=items[1:],
        queries=items[:1],
        group=[""],
        relevant=[()],
        excluded=[same[0] if same else None],
        original=[0],
        skipped=bad,
        words=f"{query.name}, and {len(items) - 1 - len(same)} images ranked by each method.",
    )


def matrix_task(folder: Path, *, checked: Checked) -> Task:
    """Every picture of a small folder compared with every other."""
    found = images_in(folder)
    if len(found) > MATRIX:
        raise InvalidRequest(f"{folder} has {len(found)} images; a matrix shows {MATRIX} at most")
    good, bad = readable(found, len(found), checked)
    _require(good, bad, folder, 2)
    items = [DatasetItem(path) for path in good]
    return _among_themselves(
        "matrix",
        items,
        bad,
        words=f"{len(items)} images, each compared with each.",
    )


def benchmark_task(queries: Path, references: Path, truth: Path, *, checked: Checked) -> Task:
    """Queries, references and ground truth as DISC21 has them: images named by their ids, and a CSV file of
    `query_id,reference_id`, where a query without a reference has none."""
    asked, bad_asked = readable(images_in(queries), len(images_in(queries)), checked)
    stored, bad_stored = readable(images_in(references), len(images_in(references)), checked)
    place = {path.stem: number for number, path in enumerate(stored)}
    wanted = defaultdict(set)
    for row in _rows(truth):
        if not {"query_id", "reference_id"} <= row.keys():
            raise InvalidRequest(f"{truth} needs the columns query_id and reference_id")
        reference = (row["reference_id"] or "").strip()
        if reference and reference.lower() != "nan":
            if reference not in place:
                raise InvalidRequest(f"{truth} names the reference {reference}, which is not in {references}")
            wanted[row["query_id"].strip()].add(place[reference])
    if not wanted.keys() & {path.stem for path in asked}:
        raise InvalidRequest(f"{truth} names no query of {queries}")
    return _asked(
        "disc21",
        stored,
        asked,
        [sorted(wanted[path.stem]) for path in asked],
        [""] * len(asked),
        [*bad_asked, *bad_stored],
    )


def copydays_task(folder: Path, *, checked: Checked) -> Task:
    """Copydays as it is published: `original/` with images whose ids are multiples of 100, and folders of
    edited ones (`strong/`, `crops/10/`, `jpeg/3/`, …) whose ids begin with the same digits. Images of other
    folders called `distractors` are references, too."""
    original = next((folder / name for name in ("original", "originals") if (folder / name).is_dir()), None)
    if original is None:
        raise InvalidRequest(f"{folder} has no folder `original`, so it is not laid out as Copydays")
    found = images_in(folder)
    stored_paths = [path for path in found if original in path.parents or "distractors" in path.parts]
    stored, bad = readable(stored_paths, len(stored_paths), checked)
    edited = [path for path in found if path not in set(stored_paths)]
    asked, bad_asked = readable(edited, len(edited), checked)
    block = {_block(path): place for place, path in enumerate(stored) if original in path.parents}
    if not asked:
        raise InvalidRequest(f"{folder} has no edited image beside `original`")
    unknown = [path for path in asked if _block(path) not in block]
    if unknown:
        raise InvalidRequest(f"{unknown[0]} has no original: its number begins like none in {original}")
    return _asked(
        "copydays",
        stored,
        asked,
        [[block[_block(path)]] for path in asked],
        ["/".join(path.relative_to(folder).parts[:-1]) for path in asked],
        [*bad, *bad_asked],
    )


def _block(path: Path) -> str:
    return path.stem[:-2]


def _asked(
    mode: str,
    references: Sequence[Path],
    queries: Sequence[Path],
    relevant: Sequence[Sequence[int]],
    group: Sequence[str],
    skipped: Sequence[tuple[str, str]],
) -> Task:
    known = sum(bool(each) for each in relevant)
    return Task(
        mode=mode,
        references=[DatasetItem(path) for path in references],
        queries=[DatasetItem(path) for path in queries],
        group=group,
        relevant=relevant,
        excluded=[None] * len(queries),
        original=list(range(len(queries))),
        skipped=skipped,
        words=f"{len(queries):,} queries, {known:,} of them with a correct answer, to {len(references):,} "
        "references.",
    )


def _rows(file: Path) -> Iterator[Mapping[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            yield from csv.DictReader(opened)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest(f"{file} cannot be read: {error}") from error


def _require(good: Sequence[Path], bad: Sequence[tuple[str, str]], folder: Path, least: int) -> None:
    if len(good) >= least:
        return
    broken = f"; {len(bad)} cannot be read, such as {bad[0][0]}: {bad[0][1]}" if bad else ""
    many = "image" if least == 1 else "images"
    raise InvalidRequest(
        f"{folder} has {len(good)} readable {'image' if len(good) == 1 else 'images'}, and an evaluation "
        f"needs at least {least} {many}{broken}"
    )


def _among_themselves(
    mode: str,
    items: Sequence[DatasetItem],
    skipped: Sequence[tuple[str, str]],
    *,
    words: str,
    pairs: Sequence[tuple[int, int, bool]] = (),
) -> Task:
    """A task whose images are compared with each other, without ranks that are right or wrong."""
    number = len(items)
    return Task(
        mode=mode,
        references=items,
        queries=items,
        group=[""] * number,
        relevant=[()] * number,
        excluded=[None] * number,
        original=list(range(number)),
        skipped=skipped,
        words=words,
        pairs=pairs,
    )
