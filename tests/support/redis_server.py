"""A real Redis as a process.

It keeps its data as the compose file's does: an append-only file, and nothing is evicted for want of memory.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import Literal

import redis

from tests.support.process import ServiceProcess, ServiceUnavailable, free_ports


class RedisServer(ServiceProcess):
    """A Redis server. `fsync` is Redis' own `appendfsync`: after a power cut `everysec` has lost up to a
    second, `always` nothing; a killed process loses nothing with either."""

    name = "Redis"
    start_timeout = 30

    def __init__(
        self, folder: Path, *, port: int = 0, fsync: Literal["everysec", "always"] = "everysec"
    ) -> None:
        super().__init__(folder, port=port)
        self.fsync = fsync

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def flush(self) -> None:
        """Delete all data, as a Redis that was lost and replaced by an empty one."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def _command(self) -> list[str]:
        program = shutil.which("redis-server")
        if program is None:
            raise ServiceUnavailable("the tests of the queue need redis-server: install Redis")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_ports(1)[0]
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": self.fsync,
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [program, *(part for name, value in settings.items() for part in (f"--{name}", value))]

    def _ready(self) -> bool:
        with contextlib.suppress(redis.ConnectionError), redis.Redis.from_url(self.url) as client:
            # another server on this port would answer too
            return self.process is not None and client.info("server")["process_id"] == self.process.pid
        return False
