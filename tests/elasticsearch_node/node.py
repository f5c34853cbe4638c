"""One node as a process: start, stop, kill, start again over the same data."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.elasticsearch_node.jars import NodeUnavailable, prepare

#: seconds until a node must be healthy: 6 where it has two cores to itself, 90 where others want them too
PATIENCE = 240

SETTINGS = {
    "network.host": "127.0.0.1",
    "transport.port": "0",
    "node.portsfile": "true",
    "logger.level": "INFO",
    # a shared machine's full disk or memory is not what the tests are about
    "indices.breaker.total.use_real_memory": "false",
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}


class ElasticsearchNode:
    """A node on a loopback port, with its data, log and configuration under `folder`.

    `port` 0 takes a free one, which the node keeps when it is started again. The heap is that of the
    environment's `FACSIMILE_TEST_HEAP`, 1 GB otherwise. `settings` come after those of `SETTINGS`.
    """

    def __init__(self, folder: Path, *, port: int = 0, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = port
        self.settings = {"discovery.type": "single-node"} if settings is None else dict(settings)
        self.log = folder / "node.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start and wait until healthy. Raises `NodeUnavailable` with the end of the log."""
        program = prepare()
        (self.folder / "config").mkdir(parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        self._ports_file.unlink(missing_ok=True)
        heap = os.environ.get("FACSIMILE_TEST_HEAP", "1g")
        settings = SETTINGS | {"path.home": str(self.folder), "http.port": str(self.port)} | self.settings
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    program.java,
                    f"-Xms{heap}",
                    f"-Xmx{heap}",
                    "--add-modules=jdk.incubator.vector",
                    "--enable-native-access=ALL-UNNAMED",
                    "-cp",
                    program.class_path,
                    "org.elasticsearch.node.JarNode",
                    *(f"{key}={value}" for key, value in settings.items()),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        self._wait()
        return self

    def stop(self) -> None:
        """Shut down in good order."""
        self._end(kill=False)

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self._end(kill=True)

    def __enter__(self) -> Self:
        return self if self.process else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _ports_file(self) -> Path:
        return self.folder / "logs" / "http.ports"

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

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            if self._healthy():
                return
            time.sleep(0.2)
        self._end(kill=True)
        tail = self.log.read_text(errors="replace").splitlines()[-5:]
        raise NodeUnavailable(
            f"Elasticsearch did not start; its log {self.log} ends with: {' | '.join(tail)}"
        )

    def _healthy(self) -> bool:
        with contextlib.suppress(OSError, ValueError, IndexError):
            self.port = int(self._ports_file.read_text().split()[0].rpartition(":")[2])
            # yellow: an index that wants replicas never turns green on one node
            question = f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=1s"
            with urllib.request.urlopen(question, timeout=5) as answer:
                return not json.load(answer)["timed_out"]
        return False
