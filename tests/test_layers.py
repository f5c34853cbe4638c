"""The shape of the product: rooms import leftwards only, and each heavy library has one home."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

#: each room may import itself and those before it
ROOMS = ("imaging", "search", "ingest", "workers", "facsimile")

#: where each library may be imported
HOMES = {
    "PIL": ("imaging/decode/*.py", "search/evaluation/*"),
    "cv2": ("imaging/geometry/*", "search/evaluation/methods/*"),
    "imagehash": ("search/evaluation/methods/*",),
    "pdqhash": ("search/evaluation/methods/*",),
    "mahotas": ("search/evaluation/methods/*",),
    "pillow_heif": ("imaging/decode/formats.py",),
    "onnxruntime": ("imaging/models/*",),
    "torch": ("imaging/models/*",),
    "torchvision": ("imaging/models/*",),
    "elasticsearch": ("search/index/elastic/*",),
    "elastic_transport": ("search/index/elastic/*",),
    "urllib3": ("search/index/elastic/*",),
    "sqlite3": ("search/index/embedded/*", "ingest/page_links.py"),
    "httpx": (
        "ingest/fetch*.py",
        "facsimile/client/*",
    ),
    "httpcore": ("ingest/fetch*.py",),
    "fsspec": ("ingest/storage.py",),
    "pyarrow": ("ingest/manifests.py",),
    "watchfiles": ("ingest/watch.py",),
    "fastwarc": ("ingest/warc.py",),
    "lxml": ("ingest/html_images.py",),
    "pebble": ("ingest/bulk.py", "search/proof_pool.py"),
    "jinja2": ("search/html_report.py",),
    "pydantic": ("facsimile/settings.py", "facsimile/api/*", "ingest/message.py"),
    "pydantic_settings": ("facsimile/settings.py",),
    "fastapi": ("facsimile/api/*",),
    "starlette": ("facsimile/api/*",),
    "uvicorn": ("facsimile/cli/serve.py",),
    "skimage": ("facsimile/cli/demo.py",),
    "prometheus_client": ("workers/metrics.py", "facsimile/api/metrics.py"),
    "structlog": ("workers/logging.py",),
    "tenacity": ("search/retry.py",),
    "typer": ("facsimile/cli/*.py",),
    "rich": ("facsimile/cli/*.py",),
}

#: what is not packaged
OUTSIDE = ("tests", "training", "benchmarks", "datasets")

MODULES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]

LONGEST = 400


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def modules_of(tree: ast.Module) -> Iterator[str]:
    """The modules that a module imports anywhere in it, those included that only annotations need."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the direction"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> str:
    """The room of a module of ours, by the name that it has when it is installed."""
    part = module.split(".")[1]
    return part if part in ROOMS else "facsimile"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_leftwards_and_libraries_stay_at_home(path: Path) -> None:
    name = name_of(path)
    allowed = ROOMS[: ROOMS.index(name.partition("/")[0]) + 1]
    for module in modules_of(tree_of(path)):
        package = module.partition(".")[0]
        if package == "facsimile":
            assert room_of(module) in allowed, f"{name} imports {module}"
            continue
        assert package not in ROOMS, f"{name} imports {module}, which is facsimile.{module}"
        homes = HOMES.get(package)
        assert homes is None or any(fnmatch(name, home) for home in homes), f"{name} imports {package}"
        assert package not in OUTSIDE, f"{name} imports {package}"


#: inside the room of workers: what one folder may not import
APART = {
    "workers/ledger": ("facsimile.workers.queue", "facsimile.workers.scanning"),
    "workers/queue": ("facsimile.workers.scanning",),
    "workers/chunk_worker.py": ("facsimile.workers.queue", "facsimile.workers.scanning"),
}


@pytest.mark.parametrize("place", APART)
def test_the_queue_does_not_know_scanning(place: str) -> None:
    for path in MODULES:
        if name_of(path).startswith(place):
            wrong = [each for each in modules_of(tree_of(path)) if each.startswith(APART[place])]
            assert not wrong, name_of(path)


def test_no_imports_go_in_a_circle() -> None:
    """Those inside functions count, and those for annotations."""
    named = {installed_name(path): path for path in MODULES}
    imports: dict[str, set[str]] = {}
    for name, path in named.items():
        found = set()
        for module in modules_of(tree_of(path)):
            found.add(module if module in named else module.rpartition(".")[0])
        imports[name] = found & named.keys() - {name}
    while leaves := [name for name, found in imports.items() if not found & imports.keys()]:
        for name in leaves:
            del imports[name]
    assert not imports


def installed_name(path: Path) -> str:
    """What a module is imported as."""
    name = name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return name if name.partition(".")[0] == "facsimile" else f"facsimile.{name}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_settings_read_the_environment(path: Path) -> None:
    if name_of(path) == "facsimile/settings.py":
        return
    for node in ast.walk(tree_of(path)):
        used = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)
        assert used not in ("environ", "environb", "getenv", "getenvb"), f"line {getattr(node, 'lineno', 0)}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_are_short_and_say_what_they_are_for(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LONGEST
    tree = ast.parse(source)
    assert ast.get_docstring(tree), "a module without a docstring"
    missing = [name for name, node in public(tree) if not ast.get_docstring(node)]
    assert not missing


Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public(node: ast.Module | ast.ClassDef, before: str = "") -> Iterator[tuple[str, Definition]]:
    """The public classes, functions and methods of a module; of properties and overrides the name says it."""
    for child in node.body:
        if not isinstance(child, Definition) or child.name.startswith("_"):
            continue
        if before and not isinstance(child, ast.ClassDef):
            continue
        yield before + child.name, child
        if isinstance(child, ast.ClassDef):
            yield from public(child, f"{before}{child.name}.")


@pytest.mark.parametrize("options", [["--help"], ["--version"], ["search", "--help"]], ids=" ".join)
def test_help_loads_no_heavy_library(options: list[str]) -> None:
    program = (
        "import sys, json\n"
        "from facsimile.cli import main\n"
        f"sys.argv = ['facsimile', *{options!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    # Typer shows its help with rich, and looks for pydantic by itself
    heavy = (HOMES.keys() | {"numpy", "orjson"}) - {"typer", "rich", "pydantic"}
    assert not loaded & heavy


#: names that several modules define, since they mean the same there
SHARED_NAMES = {
    # what is stored, its JSON form over HTTP, and what the library returns
    "Allowance": "stored, over HTTP",
    "Comparison": "computed, over HTTP, returned",
    "Finding": "stored, over HTTP, returned",
    "Job": "stored, returned",
    "Polygon": "computed, over HTTP",
    "Proof": "computed, over HTTP",
    "Scan": "stored, over HTTP, returned",
    # the client starts without the modules that compute
    "Mode": "computed, of the client",
    "Probes": "computed, of the client",
    "Picture": "what the library takes, what the API takes",
}


def test_no_public_name_of_a_type_has_two_meanings() -> None:
    homes: dict[str, list[str]] = {}
    for path in MODULES:
        for node in tree_of(path).body:
            for name in _types_of(node):
                homes.setdefault(name, []).append(name_of(path))
    twice = {name: found for name, found in homes.items() if len(found) > 1}
    assert set(twice) == set(SHARED_NAMES), twice


def _types_of(node: ast.stmt) -> Iterator[str]:
    """Classes and aliases of types, whose names are in capitals and small letters."""
    if isinstance(node, ast.ClassDef):
        yield node.name
        return
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    for target in targets:
        if isinstance(target, ast.Name) and re.fullmatch("[A-Z].*[a-z].*", target.id):
            yield target.id
