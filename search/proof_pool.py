"""Verification in child processes: the candidates of one query are one task."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import starmap
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from facsimile.imaging import subprocesses
from facsimile.imaging.errors import FacsimileError

if TYPE_CHECKING:
    from pebble import ProcessFuture

T = TypeVar("T")

#: tasks from which children are worth their start, which takes half a second
WORTH = 100


class TaskMap(Protocol):
    """Calls a function with the items of several iterables, as the built-in `map` does."""

    def __call__(self, function: Callable[..., T], /, *arguments: Iterable[Any]) -> Iterator[T]: ...


def run_here(function: Callable[..., T], /, *arguments: Iterable[Any]) -> Iterator[T]:
    """The tasks in this process, each when its result is taken."""
    return starmap(function, zip(*arguments, strict=True))


@contextmanager
def proof_pool(processes: int, tasks: int) -> Iterator[TaskMap]:
    """A map over so many child processes; `run_here` where there is one process, or few tasks.

    The map begins all tasks at once, and raises FacsimileError where a child dies.
    """
    if processes == 1 or tasks < WORTH:
        yield run_here
        return
    from pebble import ProcessPool

    pool = ProcessPool(
        processes, initializer=_begin, context=subprocesses.quick("facsimile.search.verification")
    )

    def over_children(function: Callable[..., T], /, *arguments: Iterable[Any]) -> Iterator[T]:
        return map(_result, [pool.schedule(function, args=each) for each in zip(*arguments, strict=True)])

    try:
        yield over_children
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _result(future: ProcessFuture[T]) -> T:
    from pebble import ProcessExpired

    try:
        return future.result()
    except ProcessExpired as error:
        raise FacsimileError(
            "a process that compared images died, perhaps for lack of memory: ask for fewer processes"
        ) from error


def _begin() -> None:
    from facsimile.imaging.geometry.threads import use_one_thread

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    use_one_thread()
