"""A real Redis as a process: start, stop, kill, start again over the same data.

It keeps its data as the compose file's does: an append-only file, and nothing is dropped for want of memory.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import redis

#: seconds until a server must answer, and within which it must end
PATIENCE = 30


class RedisUnavailable(Exception):
    """Redis cannot run on this machine; the message says what is missing."""


class RedisServer:
    """A server on a loopback port, with its data and log under `folder`.

    `port` 0 takes a free one, which the server keeps when it is started again. `fsync` is Redis' own
    `appendfsync`: after a power cut `everysec` has lost up to a second, `always` nothing; a killed process
    loses nothing with either.
    """

    def __init__(
        self, folder: Path, *, port: int = 0, fsync: Literal["everysec", "always"] = "everysec"
    ) -> None:
        self.folder = folder
        self.port = port
        self.fsync = fsync
        self.log = folder / "redis.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        """Start and wait until the data is loaded. Raises `RedisUnavailable` with the end of the log."""
        program = shutil.which("redis-server")
        if program is None:
            raise RedisUnavailable("the tests of the queue need redis-server: install Redis")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or _free_port()
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": self.fsync,
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [program, *(part for name, value in settings.items() for part in (f"--{name}", value))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait()
        return self

    def stop(self) -> None:
        """Shut down in good order; what it held is there after the next start."""
        self._end(kill=False)

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self._end(kill=True)

    def restart(self, *, kill: bool = False) -> None:
        """Stop (or kill) and start again, with the same port and data."""
        self._end(kill=kill)
        self.start()

    def flush(self) -> None:
        """Forget all data, as a Redis that was lost and replaced by an empty one."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def __enter__(self) -> Self:
        return self if self.process else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end(self, *, kill: bool) -> None:
        if self.process is None:
            return
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process and self.process.poll() is None:
            with contextlib.suppress(redis.ConnectionError), redis.Redis.from_url(self.url) as client:
                # another server on this port would answer too
                if client.info("server")["process_id"] == self.process.pid:
                    return
            time.sleep(0.05)
        self._end(kill=True)
        tail = self.log.read_text(errors="replace").splitlines()[-5:]
        raise RedisUnavailable(f"Redis did not start; its log {self.log} ends with: {' | '.join(tail)}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
