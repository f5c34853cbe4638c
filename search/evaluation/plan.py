"""The work of an evaluation in parts that are computed by processes and kept: descriptors, comparisons."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.record import ImageRecord
from facsimile.search.evaluation.methods import open_method
from facsimile.search.evaluation.methods.base import DescriptorMethod, Descriptors, Method
from facsimile.search.evaluation.methods.product import WholeProduct, open_finder
from facsimile.search.evaluation.metrics import Answers
from facsimile.search.evaluation.picture import EvaluationPicture
from facsimile.search.evaluation.tasks import DatasetItem, Task

#: items whose descriptors are computed together
CHUNK = 48

#: pixels that are decoded at a time: they take up to 9 bytes of memory each
_PIXELS = 20_000_000

#: queries that are compared together: of quick methods, and of slow ones
BLOCK, SLOW_BLOCK = 256, 16

#: pictures that a method is timed on
_TIMED = 12


@dataclass(frozen=True, eq=False)
class Plan:
    """A task, the folder that keeps what was computed of it, and the version of the program."""

    task: Task
    folder: Path
    sample: int
    version: str

    @cached_property
    def items(self) -> list[DatasetItem]:
        """Every distinct picture, references first."""
        return list(dict.fromkeys([*self.task.references, *self.task.queries]))

    @cached_property
    def places(self) -> dict[DatasetItem, int]:
        return {item: place for place, item in enumerate(self.items)}

    @cached_property
    def references(self) -> NDArray[np.int64]:
        return np.array([self.places[item] for item in self.task.references])

    @cached_property
    def work(self) -> Path:
        """The folder of this task within the cache: another data set, seed or attack has another one."""
        digest = hashlib.sha256(f"{self.version} {self.task.mode} {self.sample}".encode())
        for item in self.items:
            state = item.path.stat()
            digest.update(
                f"{item.path} {state.st_size} {state.st_mtime_ns} {item.edit} {item.seed}\n".encode()
            )
        return self.folder / "cache" / digest.hexdigest()[:16]

    def home(self, spec: str) -> Path:
        """The folder of a method."""
        name = re.sub(r"[^A-Za-z0-9=.-]+", "_", spec)[-60:]
        return self.work / f"{name}-{hashlib.sha256(spec.encode()).hexdigest()[:8]}"

    @cached_property
    def sampled(self) -> NDArray[np.int64]:
        """The queries of slow methods: as many of each group, of pictures drawn by lot."""
        group = np.array(self.task.group)
        names = self.task.groups
        if self.task.mode in ("pairs", "matrix", "query") or len(group) <= self.sample:
            return np.arange(len(group))
        original = np.array(self.task.original)
        drawn = np.random.default_rng(0).permutation(original.max() + 1)[original]
        each = max(1, self.sample // len(names))
        chosen = []
        for name in names:
            rows = np.flatnonzero(group == name)
            chosen.append(rows[np.argsort(drawn[rows], kind="stable")[:each]])
        return np.sort(np.concatenate(chosen))

    def queries(self, method: type[Method] | Method) -> NDArray[np.int64]:
        """The queries that a method is asked."""
        return self.sampled if method.sampled else np.arange(len(self.task.queries))

    def needed(self, method: Method) -> NDArray[np.int64]:
        """The items whose descriptors a method needs."""
        asked = [self.places[self.task.queries[row]] for row in self.queries(method)]
        return np.unique(np.append(self.references, np.array(asked, np.int64)))

    def chunks(self, method: Method) -> list[NDArray[np.int64]]:
        """The needed items in parts that are computed together, aligned alike for every method."""
        needed = self.needed(method)
        return [part for part in np.split(needed, np.flatnonzero(np.diff(needed // CHUNK)) + 1) if len(part)]

    def blocks(self, method: Method) -> list[NDArray[np.int64]]:
        """The queries of a method in parts that are compared together."""
        rows = self.queries(method)
        size = SLOW_BLOCK if method.sampled else BLOCK
        return [rows[at : at + size] for at in range(0, len(rows), size)]


@dataclass(frozen=True)
class Timing:
    """CPU time and size: milliseconds to describe a picture from the bytes of its file, microseconds to
    compare a pair, bytes of its descriptors."""

    milliseconds: float
    microseconds: float
    bytes: float


_plan: Plan


def start(plan: Plan) -> None:
    """Begin a process of the pool. An interruption ends the pool, and not each process by itself; where the
    main process was killed, this one ends, too."""
    global _plan  # noqa: PLW0603 - a process of the pool works on one plan
    _plan = plan
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


@lru_cache(maxsize=4)
def _method(spec: str) -> Method:
    return open_method(spec)


def compute(chunk: int, wanted: dict[str, NDArray[np.int64]]) -> dict[str, str]:
    """Compute and keep the descriptors of the items of a chunk for each method; the answer has the reason of
    each method that failed. A picture is read and decoded once for all methods."""
    computed: dict[str, list[Descriptors]] = {spec: [] for spec in wanted}
    failed = {}
    for pictures in _decoded(np.unique(np.concatenate(list(wanted.values())))):
        for spec, needed in wanted.items():
            some = [pictures[place] for place in needed.tolist() if place in pictures]
            if spec in failed or not some:
                continue
            try:
                computed[spec].append(_opened(spec).compute(some))
            except Exception as error:
                failed[spec] = f"{type(error).__name__}: {error}"
    for spec, parts in computed.items():
        if spec not in failed:
            arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            _keep(_file(spec, chunk), {"items": wanted[spec], **arrays})
    return failed


def _decoded(places: NDArray[np.int64]) -> Iterator[dict[int, EvaluationPicture]]:
    """The items in groups whose pixels fit into memory together."""
    group: dict[int, EvaluationPicture] = {}
    pixels = 0
    for place in places.tolist():
        picture = _plan.items[place].read()
        size = picture.decoded.width * picture.decoded.height
        if group and pixels + size > _PIXELS:
            yield group
            group, pixels = {}, 0
        group[place] = picture
        pixels += size
    if group:
        yield group


@lru_cache(maxsize=32)
def _opened(spec: str) -> DescriptorMethod:
    method = open_method(spec)
    assert isinstance(method, DescriptorMethod)  # noqa: S101
    return method


def is_computed(plan: Plan, spec: str, part: NDArray[np.int64]) -> bool:
    """Whether the descriptors of a chunk are kept already."""
    return (plan.home(spec) / f"chunk-{part[0] // CHUNK}.npz").exists()


def _file(spec: str, chunk: int) -> Path:
    return _plan.home(spec) / f"chunk-{chunk}.npz"


def _keep(file: Path, arrays: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial.npz")
    np.savez(partial, **arrays)
    partial.replace(file)


def descriptors(plan: Plan, spec: str, places: NDArray[np.int64]) -> Descriptors:
    """The kept descriptors of items, in their order."""
    parts: dict[str, list[NDArray[Any]]] = {}
    at: dict[int, int] = {}
    for chunk in np.unique(places // CHUNK):
        with np.load(plan.home(spec) / f"chunk-{chunk}.npz") as kept:
            rows = np.flatnonzero(np.isin(kept["items"], places))
            at |= {int(item): len(at) + number for number, item in enumerate(kept["items"][rows])}
            for name in kept.files:
                if name != "items":
                    parts.setdefault(name, []).append(kept[name][rows])
    order = [at[int(place)] for place in places]
    return {name: np.concatenate(arrays)[order] for name, arrays in parts.items()}


@lru_cache(maxsize=2)
def _references(spec: str) -> Descriptors:
    return descriptors(_plan, spec, _plan.references)


@lru_cache(maxsize=1)
def _finder(folder: Path) -> Any:
    return open_finder(folder)


def compare(spec: str, rows: NDArray[np.int64]) -> None:
    """Compare some queries with all references, and keep what follows."""
    file = block_file(_plan, spec, rows)
    values = _values(spec, rows)
    method = _method(spec)
    task = _plan.task
    if task.mode == "pairs":
        pairs = [pair for pair in task.pairs if pair[0] in set(rows.tolist())]
        row = {int(place): number for number, place in enumerate(rows)}
        _keep(file, {"values": np.array([values[row[one], other] for one, other, _ in pairs], np.float32)})
        return
    if task.mode in ("matrix", "query"):
        _keep(file, {"values": values})
        return
    answers = Answers.of(
        values if method.direction == "similarity" else -values,
        [task.relevant[row] for row in rows],
        [task.excluded[row] for row in rows],
        least=0.0 if isinstance(method, WholeProduct) else -np.inf,
    )
    _keep(file, {name: getattr(answers, name) for name in Answers.__dataclass_fields__})


def _values(spec: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    method = _method(spec)
    items = [_plan.task.queries[row] for row in rows]
    if isinstance(method, WholeProduct):
        finder = _finder(_plan.home(spec) / "index")
        return method.search(finder, [item.read() for item in items], len(_plan.references))
    assert isinstance(method, DescriptorMethod)  # noqa: S101
    asked = descriptors(_plan, spec, np.array([_plan.places[item] for item in items]))
    return method.distances(asked, _references(spec))


def block_file(plan: Plan, spec: str, rows: NDArray[np.int64]) -> Path:
    """Where the comparisons of some queries are kept."""
    return plan.home(spec) / f"block-{rows[0]}.npz"


def records(spec: str, places: Sequence[int]) -> list[ImageRecord]:
    """The records of some references for the index of the product."""
    method = _method(spec)
    assert isinstance(method, WholeProduct)  # noqa: S101
    return method.records({place: _plan.task.references[place].read() for place in places})


def measure(spec: str) -> Timing:
    """The time and size of a method, on some pictures of the task, by one thread of this process."""
    method = _method(spec)
    data = [item.read().data for item in _plan.task.references[:_TIMED]]
    if isinstance(method, WholeProduct):
        finder = _finder(_plan.home(spec) / "index")
        asked = [_plan.task.queries[row].read().data for row in _plan.queries(method)[:_TIMED]]
        method.records({0: EvaluationPicture(data[0])})
        described = _seconds(lambda: method.records(dict(enumerate(map(EvaluationPicture, data)))))
        method.search(finder, [EvaluationPicture(asked[0])], len(_plan.references))
        searched = _seconds(
            lambda: method.search(finder, [EvaluationPicture(one) for one in asked], len(_plan.references))
        )
        per_query = searched / len(asked) - described / len(data)
        size = finder.index.info().bytes / max(1, len(_plan.references))
        return Timing(1e3 * described / len(data), 1e6 * max(per_query, 0) / len(_plan.references), size)
    assert isinstance(method, DescriptorMethod)  # noqa: S101
    method.compute([EvaluationPicture(data[0])])  # libraries load at first use
    seconds = []
    parts = []
    for one in data:
        begin = time.process_time()
        parts.append(method.compute([EvaluationPicture(one)]))
        seconds.append(time.process_time() - begin)
    stored = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    compared = _seconds(lambda: method.distances(stored, stored))
    return Timing(1e3 * float(np.median(seconds)), 1e6 * compared / len(data) ** 2, method.bytes(stored))


def _seconds(action: Callable[[], object]) -> float:
    """CPU time of an action: the best of three."""
    times = []
    for _ in range(3):
        begin = time.process_time()
        action()
        times.append(time.process_time() - begin)
    return min(times)
