"""One node as a process."""

from __future__ import annotations

import contextlib
import json
import os
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.support.elasticsearch_node.jars import prepare
from tests.support.process import ServiceProcess

SETTINGS = {
    "network.host": "127.0.0.1",
    "transport.port": "0",
    "node.portsfile": "true",
    "logger.level": "INFO",
    # a shared machine's full disk or memory is not what the tests are about
    "indices.breaker.total.use_real_memory": "false",
    "cluster.routing.allocation.disk.threshold_enabled": "false",
}


class ElasticsearchNode(ServiceProcess):
    """An Elasticsearch node. `settings` come after those of `SETTINGS`. The heap is `heap`, or that of the
    environment's `FACSIMILE_TEST_HEAP`, or 1 GB."""

    name = "Elasticsearch"
    start_timeout = 240  # 6 where it has two cores to itself, 90 where others use them too

    def __init__(
        self, folder: Path, *, port: int = 0, settings: Mapping[str, str] | None = None, heap: str = ""
    ) -> None:
        super().__init__(folder, port=port)
        self.heap = heap or os.environ.get("FACSIMILE_TEST_HEAP", "1g")
        self.settings = {"discovery.type": "single-node"} if settings is None else dict(settings)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def _ports_file(self) -> Path:
        return self.folder / "logs" / "http.ports"

    def _command(self) -> list[str]:
        program = prepare()
        (self.folder / "config").mkdir(parents=True, exist_ok=True)
        (self.folder / "logs").mkdir(exist_ok=True)
        self._ports_file.unlink(missing_ok=True)
        settings = SETTINGS | {"path.home": str(self.folder), "http.port": str(self.port)} | self.settings
        return [
            str(program.java),
            f"-Xms{self.heap}",
            f"-Xmx{self.heap}",
            "--add-modules=jdk.incubator.vector",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            program.class_path,
            "org.elasticsearch.node.JarNode",
            *(f"{key}={value}" for key, value in settings.items()),
        ]

    def _ready(self) -> bool:
        with contextlib.suppress(OSError, ValueError, IndexError):
            self.port = int(self._ports_file.read_text().split()[0].rpartition(":")[2])
            # yellow: an index that wants replicas never turns green on one node
            health = f"{self.url}/_cluster/health?wait_for_status=yellow&timeout=1s"
            with urllib.request.urlopen(health, timeout=5) as answer:
                return not json.load(answer)["timed_out"]
        return False
