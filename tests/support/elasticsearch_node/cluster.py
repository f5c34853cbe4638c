"""Several nodes that form one cluster, on loopback."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.elasticsearch_node.node import ElasticsearchNode
from tests.support.process import free_ports
from tests.support.waiting import wait_until

#: of each node: three of them must fit beside what they are tested with
HEAP = "384m"


class ElasticsearchCluster:
    """Nodes that elect a master among themselves. All of them hold data, and one snapshot repository may lie
    in the folder `snapshots`."""

    def __init__(self, folder: Path, nodes: int = 3) -> None:
        self.snapshots = folder / "snapshots"
        self.snapshots.mkdir(parents=True)
        ports = free_ports(nodes)
        names = [f"node-{number}" for number in range(nodes)]
        settings = {
            "cluster.name": "facsimile",
            "discovery.seed_hosts": ",".join(f"127.0.0.1:{port}" for port in ports),
            "cluster.initial_master_nodes": ",".join(names),
            "path.repo": str(self.snapshots),
            # a node that left is replaced at once, not after the minute that a production cluster waits
            "cluster.fault_detection.leader_check.interval": "500ms",
            "cluster.fault_detection.follower_check.interval": "500ms",
        }
        self.nodes = [
            ElasticsearchNode(
                folder / name,
                settings={**settings, "node.name": name, "transport.port": str(port)},
                heap=HEAP,
            )
            for name, port in zip(names, ports, strict=True)
        ]

    def location(self, index: str) -> str:
        """Where an index of this cluster is, by the addresses of all nodes."""
        return f"http://{','.join(f'127.0.0.1:{node.port}' for node in self.nodes)}/{index}"

    def start(self) -> Self:
        """Start all nodes, and wait for the cluster. Raises `ServiceUnavailable`."""
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.wait()
        self.until_green()
        return self

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()

    def until_green(self) -> None:
        """Wait until all nodes are there, and each shard with its replica."""
        running = [node for node in self.nodes if node.process]
        query = f"wait_for_status=green&wait_for_nodes={len(running)}&timeout=1s"

        def green() -> bool:
            try:
                return not self.request("GET", f"_cluster/health?{query}", through=running[0])["timed_out"]
            except OSError:  # no master yet
                return False

        wait_until(green, lambda: f"a green cluster of {len(running)} nodes", interval=0.1)

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        through: ElasticsearchNode | None = None,
    ) -> Any:
        """What an operator asks of the cluster. Raises OSError where it does not do it."""
        node = through or next(node for node in self.nodes if node.process)
        asked = urllib.request.Request(
            f"{node.url}/{path}",
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(asked, timeout=60) as response:
            return json.load(response)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
