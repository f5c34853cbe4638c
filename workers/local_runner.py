"""Runs a job of the ledger in this process or its children, without a broker."""

from __future__ import annotations

import multiprocessing
import os
import random
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.process import BaseProcess
from typing import Protocol

from facsimile.imaging.subprocesses import clean
from facsimile.search.index.state.base import EntryFilter, State
from facsimile.workers.chunk_worker import ChunkWorker, Flag, Stopping, WorkerDeps
from facsimile.workers.errors import QueueError
from facsimile.workers.ledger.chunks import Chunks, ChunkState, now
from facsimile.workers.ledger.jobs import Job, Jobs
from facsimile.workers.ledger.kinds import CHUNK

#: seconds between two polls of the ledger while other processes hold all chunks
_LOOK = 0.2

#: chunks out of which a process takes its next one at random, so that processes rarely conflict
_CHOICE = 32

_UNFINISHED = (ChunkState.QUEUED, ChunkState.RUNNING, ChunkState.DELAYED)

#: how often children are restarted without progress
_RESTARTS = 5


class Event(Flag, Protocol):
    """An event that can be set."""

    def set(self) -> None:
        """Wake everything that waits for the event."""

    def is_set(self) -> bool:
        """Whether it is set."""


def work_off(
    job: str,
    state: State,
    deps: WorkerDeps,
    *,
    processes: int = 1,
    on_progress: Callable[[Job], None] = lambda job: None,
) -> Job:
    """Process a job to its end, beside other processes that may do the same; returns its final progress.

    An interrupt lets the chunks in progress end; the rest stays in the ledger, and the same call continues.
    `deps` must be picklable where there are several processes.
    """
    if processes > 1:
        return _with_children(job, state, deps, processes, on_progress)
    stopping = threading.Event()
    worker = ChunkWorker(deps, stopping)
    try:
        for _ in _chunks_of(job, worker, deps.lease, stopping):
            on_progress(Jobs(state).get(job))
    finally:
        worker.close()
    return Jobs(state).get(job)


def _with_children(
    job: str, state: State, deps: WorkerDeps, processes: int, on_progress: Callable[[Job], None]
) -> Job:
    context = clean()
    stopping = context.Event()
    jobs = Jobs(state)
    children: list[BaseProcess] = []
    restarts, decided = 0, -1
    try:
        while (found := jobs.get(job)).finished is None:
            on_progress(found)
            children = [child for child in children if child.is_alive()]
            if not children:
                if found.pending == 0:
                    jobs.fold(job, state.refresh)
                    continue
                restarts = restarts + 1 if found.decided == decided else 0
                decided = found.decided
                if restarts > _RESTARTS:
                    raise QueueError(f"the processes that work on {job} end without doing anything")
                children = [
                    context.Process(target=_child, args=(job, deps, stopping)) for _ in range(processes)
                ]
                for child in children:
                    child.start()
            children[0].join(2 * _LOOK)
    finally:
        stopping.set()
        for child in children:
            child.join()
    on_progress(found)
    return found


def _child(job: str, deps: WorkerDeps, stopping: Event) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    worker = ChunkWorker(deps, stopping)
    parent = multiprocessing.parent_process()
    for _ in _chunks_of(job, worker, deps.lease, stopping):
        if parent is not None and not parent.is_alive():
            break
    worker.close()


def _chunks_of(job: str, worker: ChunkWorker, lease: float, stopping: Event) -> Iterator[None]:
    """Process the chunks of the job one by one, until the job ends."""
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    with suppress(Stopping):
        while not stopping.is_set():
            state = worker.index.state
            state.refresh()
            if waiting := state.find(_of(job, ChunkState.QUEUED), order="due", limit=_CHOICE).entries:
                worker.run(random.choice(waiting).id, holder)  # noqa: S311 - no secret
                yield
                continue
            _take_up(job, Chunks(state, lease))
            if not state.count(_of(job, *_UNFINISHED)):
                Jobs(state).fold(job, state.refresh)
                return
            stopping.wait(_LOOK)


def _take_up(job: str, chunks: Chunks) -> None:
    """Queue again the chunks that are due, or whose process is dead."""
    due = chunks.state.find(_of(job, ChunkState.DELAYED, ChunkState.RUNNING), order="due").entries
    chunks.requeue([entry for entry in due if entry.number("due") < now()])
    for entry in due:
        if _is_dead(entry.term("holder")):
            chunks.reclaim(entry.id, entry.term("holder"))


def _is_dead(holder: str) -> bool:
    """Whether a holder was a process of this machine that has ended."""
    host, _, rest = holder.partition(":")
    process = rest.partition(":")[0]
    if host != socket.gethostname() or not process.isdecimal():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _of(job: str, *states: ChunkState) -> EntryFilter:
    return EntryFilter(kind=CHUNK, terms={"job": (job,), "state": tuple(state.value for state in states)})
