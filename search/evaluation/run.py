"""An evaluation from its task to its results: parts in several processes, each kept when it is done."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from shutil import rmtree
from typing import Any, NamedTuple

import numpy as np

from facsimile.imaging.errors import FacsimileError
from facsimile.search.errors import MethodUnavailable
from facsimile.search.evaluation import plan as parts
from facsimile.search.evaluation import results
from facsimile.search.evaluation.methods import open_method
from facsimile.search.evaluation.methods.base import Method
from facsimile.search.evaluation.methods.product import WholeProduct, write_index
from facsimile.search.evaluation.metrics import Answers
from facsimile.search.evaluation.plan import CHUNK, Plan, Timing
from facsimile.search.evaluation.results import MethodResult

#: called with a step, how many of its parts are done, and how many there are
EvaluationProgress = Callable[[str, int, int], None]

#: references that are described together for the index of the product
_RECORDS = 16


class _Part(NamedTuple):
    """A call in another process, and the methods that it works for."""

    specs: tuple[str, ...]
    call: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(eq=False)
class Evaluation:
    """Runs a plan with some methods. A method that cannot run has the reason in its result; what was computed
    by an earlier run is not computed again."""

    plan: Plan
    specs: Sequence[str]
    processes: int
    progress: EvaluationProgress = lambda step, done, total: None

    def run(self) -> list[MethodResult]:
        """The results, in the order of the methods. Raises InvalidRequest for an unknown option."""
        methods: dict[str, Method] = {}
        failures: dict[str, str] = {}
        for spec in self.specs:
            try:
                methods[spec] = open_method(spec)
            except MethodUnavailable as error:
                failures[spec] = str(error)
        timings: dict[str, Timing] = {}
        with self._pool() as pool:
            self._compute(pool, methods, failures)
            self._index(pool, methods, failures)
            self._compare(pool, methods, failures)
            left = [spec for spec in methods if spec not in failures]
            steps = (_Part((spec,), parts.measure, (spec,)) for spec in left)
            for part, timing in self._done(pool, steps, "time", len(left), failures):
                timings[part.specs[0]] = timing
        return [
            MethodResult(spec=spec, failure=failures[spec])
            if spec in failures
            else self._result(methods[spec], timings[spec])
            for spec in self.specs
        ]

    def _compute(
        self, pool: ProcessPoolExecutor, methods: dict[str, Method], failures: dict[str, str]
    ) -> None:
        chunks: dict[int, dict[str, Any]] = {}
        for spec, method in methods.items():
            if isinstance(method, WholeProduct):
                continue
            for part in self.plan.chunks(method):
                if not parts.is_computed(self.plan, spec, part):
                    chunks.setdefault(int(part[0] // CHUNK), {})[spec] = part
        steps = (
            _Part(tuple(wanted), parts.compute, (chunk, wanted)) for chunk, wanted in sorted(chunks.items())
        )
        for _part, failed in self._done(pool, steps, "describe", len(chunks), failures):
            failures |= failed

    def _index(self, pool: ProcessPoolExecutor, methods: dict[str, Method], failures: dict[str, str]) -> None:
        """Write the index of the product, which its queries are searched in."""
        for spec in [spec for spec, method in methods.items() if isinstance(method, WholeProduct)]:
            folder, whole = self.plan.home(spec) / "index", self.plan.home(spec) / "complete"
            if whole.exists():
                continue
            rmtree(folder, ignore_errors=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            count = len(self.plan.references)
            starts = range(0, count, _RECORDS)
            steps = (
                _Part((spec,), parts.records, (spec, list(range(at, min(at + _RECORDS, count)))))
                for at in starts
            )
            done = self._done(pool, steps, "index", len(starts), failures)
            write_index(folder, (records for _, records in done))
            whole.touch()

    def _compare(
        self, pool: ProcessPoolExecutor, methods: dict[str, Method], failures: dict[str, str]
    ) -> None:
        missing = [
            _Part((spec,), parts.compare, (spec, rows))
            for spec, method in methods.items()
            if spec not in failures
            for rows in self.plan.blocks(method)
            if not parts.block_file(self.plan, spec, rows).exists()
        ]
        for _ in self._done(pool, missing, "compare", len(missing), failures):
            pass

    def _result(self, method: Method, timing: Timing) -> MethodResult:
        kept = []
        for rows in self.plan.blocks(method):
            with np.load(parts.block_file(self.plan, method.spec, rows)) as file:
                kept.append({name: file[name] for name in file.files})
        mode = self.plan.task.mode
        if mode == "pairs":
            values = np.concatenate([block["values"] for block in kept])
            return results.of_pairs(self.plan, method, values, timing)
        if mode in ("matrix", "query"):
            return results.of_values(
                self.plan, method, np.concatenate([block["values"] for block in kept]), timing
            )
        return results.of_answers(
            self.plan, method, Answers.joined([Answers(**block) for block in kept]), timing
        )

    @contextmanager
    def _pool(self) -> Iterator[ProcessPoolExecutor]:
        pool = ProcessPoolExecutor(
            self.processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=parts.start,
            initargs=(self.plan,),
        )
        try:
            yield pool
        except BrokenProcessPool as error:
            raise FacsimileError(
                "a process of the evaluation died, perhaps for lack of memory; the same command continues"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _done(
        self,
        pool: ProcessPoolExecutor,
        steps: Iterable[_Part],
        name: str,
        total: int,
        failures: dict[str, str],
    ) -> Iterator[tuple[_Part, Any]]:
        """The parts as they are done, a few more than processes at a time; what fails fails for its methods
        alone, whose other parts are left out."""
        iterator = iter(steps)
        running: dict[Future[Any], _Part] = {}
        done = 0
        while True:
            for part in islice(iterator, 2 * self.processes - len(running)):
                if all(spec in failures for spec in part.specs):
                    done += 1
                    continue
                running[pool.submit(part.call, *part.arguments)] = part
            if not running:
                if done >= total:
                    return
                continue
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                part = running.pop(future)
                done += 1
                self.progress(name, done, total)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    raise error
                if error is None:
                    yield part, future.result()
                else:
                    failures |= dict.fromkeys(part.specs, f"{type(error).__name__}: {error}")
