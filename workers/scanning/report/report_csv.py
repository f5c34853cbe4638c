"""Findings as a CSV table for spreadsheets."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from facsimile.workers.scanning.findings import Finding

COLUMNS = (
    "finding",
    "state",
    "verdict",
    "score",
    "hamming",
    "cosine",
    "edit",
    "note",
    "cluster",
    "work_collection",
    "work_id",
    "work_title",
    "work_source",
    "work_sha256",
    "suspect_id",
    "suspect_source",
    "suspect_sources",
    "pages",
    "sites",
    "suspect_sha256",
    "first_seen",
    "compared",
    "reviewer",
    "comment",
)

#: characters that make a spreadsheet read a text as a formula, also in other widths
_FORMULA = "=+-@\u2212"

#: what separates cells, by the language of the spreadsheet
_SEPARATOR = re.compile("([;\t\r\n])")


def row_of(finding: Finding, cluster: str) -> list[str]:
    """A row of the table, in the order of `COLUMNS`."""
    data = finding.as_json()
    work, suspect, evidence = finding.work, finding.suspect, finding.evidence
    comments = [each["comment"] for each in finding.history if each.get("comment")]
    values = {
        **{name: data[name] for name in ("finding", "state", "verdict", "score", "hamming", "cosine")},
        **{name: data[name] for name in ("edit", "note", "reviewer")},
        "cluster": cluster,
        **{f"work_{name}": work[name] for name in ("collection", "id", "title", "source", "sha256")},
        **{f"suspect_{name}": suspect[name] for name in ("id", "source", "sha256")},
        "suspect_sources": "\n".join(suspect["sources"]),
        "pages": "\n".join(page["url"] for page in suspect.get("pages", ())),
        "sites": " ".join(finding.sites),
        "first_seen": evidence["first_seen"],
        "compared": evidence["compared"],
        "comment": comments[-1] if comments else "",
    }
    return [cell(values[name]) for name in COLUMNS]


def cell(value: Any) -> str:
    """A value as text that no spreadsheet reads as a formula: titles and addresses come from strangers."""
    if value is None:
        return ""
    text = str(value)
    if not isinstance(value, str):
        return text
    escaped = "".join(f"'{part}" if _is_formula(part) else part for part in _SEPARATOR.split(text))
    return f"'{escaped}" if _SEPARATOR.match(escaped) else escaped


def _is_formula(text: str) -> bool:
    """Whether the first character that is seen begins a formula: blanks, marks and controls before it count
    as nothing."""
    seen = next((each for each in text if unicodedata.category(each)[0] not in "ZC"), "")
    return bool(seen) and unicodedata.normalize("NFKC", seen) in _FORMULA
