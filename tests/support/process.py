"""A service as a process of its own: start, stop, kill, and start again over the same data."""

from __future__ import annotations

import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self


class ServiceUnavailable(Exception):
    """A service cannot run on this machine; the message says what is missing."""


class ServiceProcess(ABC):
    """A server on a loopback port, with its data and log under `folder`.

    `port` 0 takes a free one, which the service keeps when it is started again.
    """

    name: ClassVar[str]

    #: seconds until the service must answer
    start_timeout: ClassVar[float]

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        self.folder = folder
        self.port = port
        self.log = folder / "service.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def _command(self) -> list[str]:
        """The program and its arguments. Raises `ServiceUnavailable` where it cannot run."""

    @abstractmethod
    def _ready(self) -> bool:
        """Whether the running process answers."""

    def start(self) -> Self:
        """Start and wait until the service answers. Raises `ServiceUnavailable` with the end of the log."""
        self.launch()
        return self.wait()

    def launch(self) -> None:
        """Start, and do not wait. Raises `ServiceUnavailable` where there is no program."""
        command = self._command()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log)

    def wait(self) -> Self:
        """Wait until a service that was launched answers. Raises as `start` does."""
        deadline = time.monotonic() + self.start_timeout
        while time.monotonic() < deadline and self.process and self.process.poll() is None:
            if self._ready():
                return self
            time.sleep(0.05)
        self._end(kill=True)
        tail = self.log.read_text(errors="replace").splitlines()[-5:]
        raise ServiceUnavailable(
            f"{self.name} did not start; its log {self.log} ends with: {' | '.join(tail)}"
        )

    def stop(self) -> None:
        """Shut down in order; the data is there after the next start."""
        self._end(kill=False)

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self._end(kill=True)

    def restart(self, *, kill: bool = False) -> None:
        """Stop (or kill) and start again, with the same port and data."""
        self._end(kill=kill)
        self.start()

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
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.process = None


def free_ports(number: int) -> list[int]:
    """Ports of loopback that are free now, for services that must know them before they start."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
