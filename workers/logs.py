"""Celery's logs through the same formatter as ours."""

from __future__ import annotations

import logging
from typing import Any

from celery import signals

from search.logs import Format, Level, configure


def take_over(level: Level = "info", format: Format = "auto") -> None:
    """Configure the logs of this process, and keep Celery from configuring them, here and in its children.

    Call it before the worker or the beat starts. What tasks print goes where they print it.
    """
    configure(level, format)
    logging.getLogger("celery.beat").setLevel(logging.WARNING)  # it tells of each look at the schedule

    def keep(**_: Any) -> None:
        """Celery leaves logging alone where this signal has a receiver."""

    signals.setup_logging.connect(keep, weak=False)
