"""Images read in child processes that can be killed: a slow or crashing decoder costs its own image alone.

For callers that must go on answering, such as the API. A child reads one image at a time and is given its
bytes over a pipe of its own, so that killing one disturbs no other. An image that is not read within a second
moves from its quick place to a slow one; there are as many of each. So images that take long never keep
ordinary ones from being read. Where all slow places are taken too and others wait, it is given up.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from facsimile.imaging import subprocesses
from facsimile.imaging.decode import Limits
from facsimile.imaging.describe import Reading, read_image
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.models.base import Model
from facsimile.ingest.errors import DecoderBusy, DecoderCrashed, DecoderTimeout

#: seconds after which an image gives its quick place to the next one
QUICK = 1.0

#: seconds between two looks at an image that takes long
_LOOK = 0.1

#: seconds beyond its limit after which a child ends itself whose parent has died
_ORPHANED = 5.0

#: one child is started at a time: while it is, the main module is hidden (`facsimile.imaging.subprocesses`)
_starting = threading.Lock()


def no_model() -> None:
    """No model, for an index that keeps no vectors."""


class IsolatedReader:
    """Reads images in up to twice `processes` children, which are started when they are needed.

    `seconds` is the limit of one image, `batch_seconds` that of the images of one call. May be used by any
    number of threads.
    """

    def __init__(
        self,
        *,
        processes: int,
        seconds: float,
        batch_seconds: float,
        limits: Limits | None = None,
        open_model: Callable[[], Model | None] = no_model,
    ) -> None:
        self._places = _Places(processes)
        self._seconds = seconds
        self._batch_seconds = batch_seconds
        self._limits = limits or Limits()
        self._open_model = open_model
        self._context = subprocesses.quick("facsimile.imaging.describe")
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()
        self._closed = False

    def read(self, datas: Sequence[bytes]) -> list[Reading | FacsimileError]:
        """Read images; one that cannot be read has its error in its place."""
        end = time.monotonic() + self._batch_seconds
        return [self._read(data, end) for data in datas]

    def _read(self, data: bytes, end: float) -> Reading | FacsimileError:
        if self._closed or not self._places.enter(end):
            return DecoderBusy("too many images wait to be read")
        try:
            child = self._take()
        except OSError as error:
            self._places.leave(slow=False)
            return DecoderBusy(f"no process can be started to read it: {error}")
        return self._watched(child, data, end)

    def _watched(self, child: _Child, data: bytes, end: float) -> Reading | FacsimileError:
        """What a child says about an image. A child that does not answer is killed."""
        start = time.monotonic()
        slow = healthy = False
        try:
            child.connection.send_bytes(data)
            while not child.connection.poll(_LOOK):
                now = time.monotonic()
                if now >= start + self._seconds:
                    return DecoderTimeout(f"reading it took longer than {self._seconds:g} seconds")
                slow = slow or (now >= start + QUICK and self._places.move_to_slow())
                if now >= end or (now >= start + QUICK and not slow and self._places.waited_for):
                    return DecoderBusy("reading it takes long, and too many other images wait to be read")
            answer: Reading | FacsimileError = child.connection.recv()
            healthy = True
        except (EOFError, OSError):
            return DecoderCrashed("the decoder crashed on it")
        else:
            return answer
        finally:
            self._give_back(child, healthy=healthy)
            self._places.leave(slow=slow)

    def _take(self) -> _Child:
        """A child that waits for an image. Raises OSError where none can be started."""
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            if child is None:
                break
            if child.process.is_alive():
                return child
            self._give_back(child, healthy=False)
        child = self._start()
        with self._lock:
            self._all.add(child)
            closed = self._closed
        if closed:
            self._give_back(child, healthy=False)
            raise BrokenPipeError("closed")
        return child

    def _start(self) -> _Child:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(
            target=_serve,
            args=(theirs, self._limits, self._open_model, self._seconds + _ORPHANED),
            daemon=True,
        )
        try:
            with _starting:
                process.start()
        except (OSError, EOFError) as error:
            ours.close()
            raise OSError(str(error)) from None
        finally:
            theirs.close()
        return _Child(process, ours)

    def _give_back(self, child: _Child, *, healthy: bool) -> None:
        with self._lock:
            if healthy and not self._closed and len(self._idle) < self._places.quick:
                self._idle.append(child)
                return
            self._all.discard(child)
        child.kill()

    def close(self) -> None:
        """Kill all children; images that are being read get an error."""
        with self._lock:
            self._closed = True
            found = list(self._all)
            self._idle.clear()
        for child in found:
            child.process.kill()


class _Places:
    """Who may read an image: `quick` places, and as many slow ones."""

    def __init__(self, quick: int) -> None:
        self.quick = quick
        self._changed = threading.Condition()
        self._quick_taken = 0
        self._slow_taken = 0
        self._waiting = 0

    @property
    def waited_for(self) -> bool:
        """Whether an image waits for a quick place."""
        return self._waiting > 0

    def enter(self, end: float) -> bool:
        """Take a quick place; False where none was free in time."""
        with self._changed:
            self._waiting += 1
            try:
                free = self._changed.wait_for(
                    lambda: self._quick_taken < self.quick, max(0.0, end - time.monotonic())
                )
            finally:
                self._waiting -= 1
            self._quick_taken += free
            return free

    def move_to_slow(self) -> bool:
        """Change a quick place for a slow one; False where none is free."""
        with self._changed:
            if self._slow_taken == self.quick:
                return False
            self._slow_taken += 1
            self._quick_taken -= 1
            self._changed.notify()
            return True

    def leave(self, *, slow: bool) -> None:
        """Free the place."""
        with self._changed:
            if slow:
                self._slow_taken -= 1
            else:
                self._quick_taken -= 1
                self._changed.notify()


class _Child:
    """A child process and our end of its pipe."""

    def __init__(self, process: BaseProcess, connection: Connection) -> None:
        self.process = process
        self.connection = connection

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(
    connection: Connection, limits: Limits, open_model: Callable[[], Model | None], seconds: float
) -> None:
    """What a child does: read one image after the other until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    model = open_model()
    while True:
        try:
            data = connection.recv_bytes()
        except EOFError:
            return
        _end_after(seconds)
        connection.send(_answer(data, limits, model))
        _end_after(0)


def _answer(data: bytes, limits: Limits, model: Model | None) -> Reading | FacsimileError:
    try:
        return read_image(data, limits=limits, model=model)
    except FacsimileError as error:
        return error
    except Exception as error:  # whatever else a decoder raises is this image's error
        return DecoderCrashed(f"the decoder failed on it ({type(error).__name__}: {error})")


def _end_after(seconds: float) -> None:
    """Have the system end this process after so many seconds (0: not), also in the middle of a decoder."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
