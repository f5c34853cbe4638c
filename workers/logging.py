"""Structured logs of long-running processes: one line per event, with named values, and never a secret.

Lines of other libraries (Celery, uvicorn) pass the same processors, so that all lines of a process look
alike. Only the entry point of a process calls `configure`; until then the defaults of Python apply, as in any
library.
"""

from __future__ import annotations

import logging
import math
import re
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Literal, TextIO

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import EventDict, WrappedLogger

from facsimile.search.secrets import HIDDEN, QUERY, SECRET, USER_INFO

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "json", "text"]

#: loggers that write a line for each request or message at `info`, which only helps to debug them
VERBOSE = (
    "elastic_transport",
    "httpx",
    "httpcore",
    "celery.app.trace",
    "celery.beat",
    "celery.worker.strategy",
)

#: names of values that are secrets whatever they look like
_SECRET_NAME = re.compile(rf"{SECRET}$|^(?:{SECRET}|x-amz-.*)", re.IGNORECASE)

_HEADER = re.compile(r"\b(ApiKey|Bearer|authorization\W+\w+)(\s+)[\w+/=.~-]+", re.IGNORECASE)


def configure(level: Level = "info", format: Format = "auto", *, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (stderr), in place of any other handler of the root logger.

    `auto` writes lines for people on a terminal and JSON objects elsewhere. A JSON line has `timestamp`
    (UTC, ISO 8601), `level`, `logger`, `event` and the names that were bound or given.
    """
    stream = stream or sys.stderr
    terminal = stream.isatty()
    text = format == "text" or (format == "auto" and terminal)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        ProcessorFormatter(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _clean,
                *(_for_people(terminal) if text else [structlog.processors.JSONRenderer()]),
            ]
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in VERBOSE:
        logging.getLogger(name).setLevel(logging.NOTSET if level == "debug" else logging.WARNING)


def configure_celery(level: Level = "info", format: Format = "auto") -> None:
    """Configure the logs of this process, and keep Celery from configuring them, here and in its children.

    Call it before the worker or the beat starts. Output that tasks print is not redirected.
    """
    from celery import signals

    configure(level, format)
    logging.getLogger("celery.beat").setLevel(logging.WARNING)  # else a line for each tick of the schedule

    def keep(**_: Any) -> None:
        """Celery leaves logging alone where this signal has a receiver."""

    signals.setup_logging.connect(keep, weak=False)


def logger(name: str) -> BoundLogger:
    """The logger of a module: `logger(__name__).info("chunk_finished", items=64)`."""
    return structlog.wrap_logger(  # type: ignore[no-any-return]
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )


def bind_context(**names: Any) -> AbstractContextManager[None]:
    """Within the block, every line of this thread or task carries these values: `job`, `chunk`, `item`, …"""
    return structlog.contextvars.bound_contextvars(**names)


def without_secrets(text: str) -> str:
    """The text with the secrets of URLs and of headers taken out."""
    text = USER_INFO.sub(rf"\1{HIDDEN}@", text)
    text = QUERY.sub(rf"\1{HIDDEN}", text)
    return _HEADER.sub(rf"\1\2{HIDDEN}", text)


def _clean(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {name: _cleaned(value, name) for name, value in event.items()}


def _cleaned(value: Any, name: str = "") -> Any:
    """The value as JSON can write it, without secrets and without bytes."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if _SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, Mapping):
        return {without_secrets(str(key)): _cleaned(one, str(key)) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(one) for one in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    return without_secrets(str(value))


def _for_people(colors: bool) -> list[Any]:
    plain = structlog.dev.plain_traceback
    return [_visible, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]


def _visible(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Control characters (in a file's name, say) as escapes, so that no name can forge a line."""
    return {
        name: _escaped(value) if isinstance(value, str) and name != "exception" else value
        for name, value in event.items()
    }


def _escaped(text: str) -> str:
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
