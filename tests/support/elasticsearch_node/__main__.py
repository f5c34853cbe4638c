"""`python -m tests.support.elasticsearch_node setup`, or `… start [--port 9200] [--data DIR]`."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from pathlib import Path

from tests.support.elasticsearch_node import ElasticsearchNode, prepare
from tests.support.process import ServiceUnavailable


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.support.elasticsearch_node", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup", help="fetch the jars and compile the launcher")
    start = commands.add_parser("start", help="run a node until Ctrl-C")
    start.add_argument("--port", type=int, default=9200)
    start.add_argument("--data", type=Path, help="folder that keeps the data; a temporary one otherwise")
    chosen = parser.parse_args()
    try:
        if chosen.command == "setup":
            prepare()
            return 0
        with tempfile.TemporaryDirectory() as temporary:
            node = ElasticsearchNode((chosen.data or Path(temporary)).resolve(), port=chosen.port)
            with node, contextlib.suppress(KeyboardInterrupt):
                print(f"Elasticsearch answers at {node.url}; its log is {node.log}", flush=True)
                if node.process:
                    node.process.wait()
    except ServiceUnavailable as reason:
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
