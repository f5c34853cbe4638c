"""Fetch the jars and compile the launcher, once, into `.services/elasticsearch`."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.process import ServiceUnavailable

HERE = Path(__file__).parent
HOME = HERE.parents[2] / ".services" / "elasticsearch"

#: oldest Java that runs this Elasticsearch
OLDEST_JAVA = 21


@dataclass(frozen=True)
class Program:
    """What to run: a Java binary and a class path."""

    java: Path
    class_path: str


def prepare() -> Program:
    """The program, built first where the pom or the sources have changed. Raises `ServiceUnavailable`."""
    binaries = _jdk()
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test sessions may begin at once
        stamp, wanted = HOME / "built", _fingerprint()
        if not stamp.exists() or stamp.read_text() != wanted:
            _build(binaries)
            stamp.write_text(wanted)
    return Program(binaries / "java", f"{HOME / 'classes'}{os.pathsep}{HOME / 'jars' / '*'}")


def _sources() -> list[Path]:
    return sorted((HERE / "java").rglob("*.java"))


def _fingerprint() -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in [HERE / "pom.xml", *_sources()])).hexdigest()


def _build(binaries: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ServiceUnavailable("Elasticsearch for the tests needs Maven (mvn): install the package maven")
    for folder in ("jars", "classes"):
        shutil.rmtree(HOME / folder, ignore_errors=True)
    jars = HOME / "jars"
    copy = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
    _run(maven, "-q", "-B", "-f", HERE / "pom.xml", copy, f"-DoutputDirectory={jars}")
    _run(binaries / "javac", "-d", HOME / "classes", "-cp", jars / "*", *_sources())


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise ServiceUnavailable(f"{Path(command[0]).name} failed: {' '.join(said[:3])}")


def _jdk() -> Path:
    """The `bin` folder of the newest JDK here that is new enough."""
    found = [(version, folder) for folder in _bin_folders() if (version := _version(folder)) >= OLDEST_JAVA]
    if not found:
        raise ServiceUnavailable(
            f"Elasticsearch for the tests needs a JDK of version {OLDEST_JAVA} or newer: "
            "install one (openjdk-21-jdk-headless, say) or point JAVA_HOME to it"
        )
    return max(found)[1]


def _bin_folders() -> Iterator[Path]:
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin"
    if compiler := shutil.which("javac"):
        yield Path(compiler).resolve().parent
    yield from Path("/usr/lib/jvm").glob("*/bin")
    yield from Path("/Library/Java/JavaVirtualMachines").glob("*/Contents/Home/bin")


def _version(folder: Path) -> int:
    """The major version of a JDK; 0 where there is no compiler."""
    if not (folder / "javac").exists():
        return 0
    said = subprocess.run([folder / "javac", "-version"], capture_output=True, text=True, check=False)
    number = re.search(r"javac (\d+)", said.stdout + said.stderr)
    return int(number[1]) if number else 0
