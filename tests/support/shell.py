"""The command line as a user meets it: a process of its own, what it prints, and how it exits."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """What `--json` printed; anything else on stdout fails here."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def complaint(self) -> str:
        """The one sentence on stderr, of a command that printed nothing else there."""
        (line,) = self.err.splitlines()
        assert line.startswith("facsimile: ")
        return line.removeprefix("facsimile: ")


class Shell:
    """Runs `facsimile` in a folder of its own, on one index, with no setting but those given here."""

    def __init__(self, folder: Path, index: str, **variables: str) -> None:
        self.folder = folder
        self.index = index
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FACSIMILE_")},
            "FACSIMILE_INDEX": index,
            "FACSIMILE_PROCESSES": "1",
            "FACSIMILE_MODEL": "none",  # hashes alone: what a command says does not depend on a network
            **variables,
        }

    def on(self, index: str | Path) -> Shell:
        """The same on another index."""
        return self.having(FACSIMILE_INDEX=str(index))

    def having(self, **variables: str) -> Shell:
        """The same with other variables."""
        changed = {**self._environment, **variables}
        return Shell(self.folder, changed["FACSIMILE_INDEX"], **changed)

    def start(self, *args: object, prefix: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        """Begin a command, behind another that runs it, in a process group of its own."""
        command = [*prefix, sys.executable, "-m", "facsimile", *map(_text, args)]
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def __call__(self, *args: object, stdin: bytes = b"", prefix: tuple[str, ...] = ()) -> Done:
        """Run a command to its end. No command ever shows a traceback."""
        process = self.start(*args, prefix=prefix)
        out, err = process.communicate(stdin, timeout=120)
        done = Done(process.returncode, out.decode(), err.decode())
        assert "Traceback" not in done.err, done.err
        return done

    def json(self, *args: object, stdin: bytes = b"") -> Any:
        """What a command that succeeds prints as its one line with `--json`."""
        done = self(*args, "--json", stdin=stdin)
        assert (done.code, done.err) == (0, ""), done
        (line,) = done.lines
        return line

    @property
    def count(self) -> int:
        return int(self.json("count")["count"])


def unprivileged() -> tuple[str, ...]:
    """What to put before a command so that permissions count for it, though root may run the tests."""
    if os.geteuid() != 0:
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root needs setpriv to give up its rights")
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def _text(argument: object) -> str | bytes:
    return argument if isinstance(argument, bytes) else str(argument)
