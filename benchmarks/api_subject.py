"""What `api_load.py` puts under load: an index of made-up records, and `facsimile serve` over it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from facsimile.imaging.record import Description, ImageRecord
from facsimile.library import Facsimile

SAMPLE = 600
STORED = 200
BATCH = 500


def sample(folder: Path) -> list[bytes]:
    """Some photographs of the folder."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return [path.read_bytes() for path in random.Random(1).sample(paths, SAMPLE)]


def made_up(described: Sequence[Description], count: int) -> Iterator[list[ImageRecord]]:
    """Records that cost a search as much as those of real photographs would."""
    rng = np.random.default_rng(0)
    real = np.stack([each.vector for each in described if each.vector is not None])
    shape = np.linalg.cholesky(np.cov(real.T) + 1e-6 * np.eye(real.shape[1]))
    for start in range(0, count, BATCH):
        vectors = real.mean(axis=0) + rng.normal(size=(BATCH, real.shape[1])) @ shape.T
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)
        hashes = rng.integers(0, 256, (BATCH, 2, 32), dtype=np.uint8)
        yield [
            ImageRecord.of(described[number % len(described)], id=f"made-up/{number}").replaced(
                sha256=rng.bytes(32).hex(),
                pixels=rng.bytes(32).hex(),
                bits=hashes[position, 0],
                bits_trimmed=hashes[position, 1] if number % 3 == 0 else None,
                vector=vectors[position].astype(np.float32),
                sources=(f"https://images.example.org/{number // 100}/{number}.jpg",),
                title=f"picture {number} of the shelf {number // 100}",
                metadata={"shelf": number // 100},
            )
            for position, number in enumerate(range(start, min(start + BATCH, count)))
        ]


def filled(index: Facsimile, datas: Sequence[bytes], count: int) -> None:
    """Bring the records in, where the index has none."""
    if index.index.count() >= count:
        return
    described = [index.queries.read(data).description for data in datas]
    start = time.perf_counter()
    for records in made_up(described, count - STORED):
        index.index.put(records)
    index.index.put([ImageRecord.of(each) for each in described[:STORED]])
    index.index.refresh()
    print(f"{count} records in {time.perf_counter() - start:.0f} s", flush=True)


class Server:
    """`facsimile serve` over an index."""

    def __init__(self, location: str, log: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.place: tuple[str, int] = free.getsockname()
        environment = {name: each for name, each in os.environ.items() if not name.startswith("FACSIMILE_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "facsimile", "serve", "--index", location, "--port", str(self.place[1])],
            env={**environment, "FACSIMILE_API_RATE": "0"},
            stderr=log.open("wb"),
        )
        while self.process.poll() is None:
            with suppress(OSError), socket.create_connection(self.place):
                break
            time.sleep(0.1)

    def worked(self) -> float:
        """Processor time of all its threads so far, in milliseconds."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Resident memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1000

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
