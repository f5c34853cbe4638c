"""Child processes that do not run the caller's script again.

Python's own start their work by importing the main module of their parent. A script that calls us without
`if __name__ == "__main__"` would then run once more in each child, and fail there with a puzzling message.
What we hand to children is imported from our modules, so they need no main module.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any

if hasattr(os, "fork"):
    from multiprocessing.context import ForkServerContext, ForkServerProcess

    class _ForkServerProcess(ForkServerProcess):
        @staticmethod
        def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802 - the library's hook
            with _no_main():
                return ForkServerProcess._Popen(process_obj)

    class _ForkServer(ForkServerContext):
        Process = _ForkServerProcess


class _SpawnProcess(SpawnProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802 - the library's hook
        with _no_main():
            return SpawnProcess._Popen(process_obj)


class _Spawn(SpawnContext):
    Process = _SpawnProcess


def quick(*preload: str) -> _ForkServer | _Spawn:
    """A context whose children are forked from a server that has imported these modules and ran no thread.

    Safe where a fork of this process is not, and a child that died is replaced in milliseconds. Where the
    system has no fork, as `clean`.
    """
    if not hasattr(os, "fork"):
        return clean()
    context = _ForkServer()
    context.set_forkserver_preload(list(preload))
    return context


def clean() -> _Spawn:
    """A context whose children begin with nothing."""
    return _Spawn()


@contextmanager
def _no_main() -> Iterator[None]:
    """Hide from the library where the main module is from."""
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), main.__dict__.pop("__file__", None)
    main.__spec__ = None
    try:
        yield
    finally:
        main.__spec__ = spec
        if file is not None:
            main.__file__ = file
