"""The report of a scan: a page for people, a table for spreadsheets, lines of JSON for programs."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson

from facsimile.imaging.decode import shrunk
from facsimile.imaging.record import Key
from facsimile.search.html_report import environment, markup, pair_asset
from facsimile.search.index.base import Index
from facsimile.workers.scanning.clusters import clusters
from facsimile.workers.scanning.findings import Finding
from facsimile.workers.scanning.report.report_csv import COLUMNS, row_of
from facsimile.workers.scanning.scans import Scan

#: findings of one part of the HTML report, which the browser parses when it is scrolled into view
TOGETHER = 50

#: findings up to which thumbnails are shown as they are; of more, in this size
LARGE, SMALL_SIDE = 1000, 144


#: characters that some parsers take for the end of a line
_BREAKS = "\x85\u2028\u2029"


@dataclass(slots=True)
class _Overview:
    """Data of all findings that the HTML report filters and groups by."""

    rows: list[list[Any]] = field(default_factory=list)
    works: dict[Key, int] = field(default_factory=dict)
    labels: list[str] = field(default_factory=list)
    sites: dict[str, int] = field(default_factory=dict)


class Report:
    """Writes findings into a folder; each file takes its name when it is whole."""

    def __init__(self, index: Index, scan: Scan, findings: Iterable[Finding]) -> None:
        self._index = index
        self._scan = scan
        self._findings = list(findings)
        self._clusters = clusters(self._findings)

    def write(self, folder: Path) -> None:
        """Write `index.html`, `findings.csv`, `findings.jsonl`. Raises OSError, and errors of the index."""
        folder.mkdir(parents=True, exist_ok=True)
        names = ("findings.jsonl", "findings.csv", "index.html")
        parts = [folder / f"{name}.part" for name in names]
        try:
            with ExitStack() as stack:
                lines, table, page = (
                    stack.enter_context(part.open("w", encoding="utf-8", newline="")) for part in parts
                )
                self._lines(lines)
                self._table(table)
                self._page(page)
            for part, name in zip(parts, names, strict=True):
                part.replace(folder / name)
        finally:
            for part in parts:
                part.unlink(missing_ok=True)

    def _lines(self, out: IO[str]) -> None:
        for finding in self._findings:
            out.write(_escaped(self._as_json(finding), _BREAKS) + "\n")

    def _table(self, out: IO[str]) -> None:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for finding in self._findings:
            writer.writerow(row_of(finding, self._clusters.get(finding.id, "")))

    def _as_json(self, finding: Finding) -> dict[str, Any]:
        return {**finding.as_json(), "cluster": self._clusters.get(finding.id)}

    # -- the HTML report -----------------------------------------------------------------------------------

    def _page(self, out: IO[str]) -> None:
        """Part by part, so that memory holds no more than one of them besides the findings."""
        script = pair_asset("pair.js") + _asset("report.js")
        template = environment(__package__ or "", "").get_template("report.html.j2")
        for part in template.generate(
            style=markup(pair_asset("pair.css") + _asset("report.css")),
            script=markup(script),
            script_digest=base64.b64encode(sha256(script.encode()).digest()).decode(),
            parts=map(markup, self._parts()),
        ):
            out.write(part)

    def _parts(self) -> Iterator[str]:
        """The data of the HTML report, element by element."""
        listed = _Overview()
        for number, some in enumerate(_batches(self._findings, TOGETHER)):
            pictures = self._pictures([key for each in some for key in each.suspect_keys])
            rows = []
            for each in some:
                listed.rows.append(self._row(each, listed))
                found = (pictures[key] for key in each.suspect_keys if key in pictures)
                rows.append({**self._as_json(each), "picture": next(found, "")})
            yield _data(f"findings-{number}", rows)
        works = list(listed.works)
        for number, keys in enumerate(_batches(works, TOGETHER)):
            pictures = self._pictures(keys)
            yield _data(f"works-{number}", [pictures.get(key, "") for key in keys])
        yield _data("report", self._summary(listed))

    def _summary(self, listed: _Overview) -> dict[str, Any]:
        return {
            **self._scan.as_json(),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "together": TOGETHER,
            "rows": listed.rows,
            "work_labels": listed.labels,
            "sites": list(listed.sites),
        }

    def _row(self, finding: Finding, listed: _Overview) -> list[Any]:
        """The values that findings are filtered and grouped by: state, verdict, work, sites, cluster."""
        key = finding.work_key
        if key not in listed.works:
            listed.works[key] = len(listed.works)
            listed.labels.append(finding.work["title"] or finding.work["source"] or finding.work["id"])
        sites = [listed.sites.setdefault(site, len(listed.sites)) for site in finding.sites]
        cluster = self._clusters.get(finding.id, "")
        return [finding.state.value, finding.verdict.value, listed.works[key], sites, cluster]

    def _pictures(self, keys: Sequence[Key]) -> dict[Key, str]:
        """The thumbnails as data URLs; a record that was removed meanwhile has none."""
        small = len(self._findings) > LARGE
        pictures: dict[Key, str] = {}
        for key, record in self._index.get(keys).items():
            if record.thumbnail:
                jpeg = shrunk(record.thumbnail, SMALL_SIDE) if small else record.thumbnail
                pictures[key] = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
        return pictures


def _asset(name: str) -> str:
    return files("facsimile.workers.scanning.report").joinpath(name).read_text(encoding="utf-8")


def _data(name: str, value: Any) -> str:
    """JSON within a script element: no text in it can end the element, or begin another."""
    return f'<script type="application/json" id="{name}">{_escaped(value, "<>&" + _BREAKS)}</script>\n'


def _escaped(value: Any, characters: str) -> str:
    """JSON in which these characters, which can only lie in texts, are written as escapes."""
    text = orjson.dumps(value).decode()
    for character in characters:
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _batches(values: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch
