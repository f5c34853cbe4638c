"""Findings as a table, for people with a spreadsheet."""

from __future__ import annotations

from typing import Any

from workers.scanning.findings import Finding

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
    "sites",
    "suspect_sha256",
    "first_seen",
    "compared",
    "reviewer",
    "comment",
)

#: what makes a spreadsheet take a text for a formula
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def row_of(finding: Finding, cluster: str) -> list[str]:
    """A line of the table, in the order of `COLUMNS`."""
    told = finding.as_json()
    work, suspect, evidence = told["work"], told["suspect"], told["evidence"]
    comments = [each["comment"] for each in told["history"] if each.get("comment")]
    values = {
        **{name: told[name] for name in ("finding", "state", "verdict", "score", "hamming", "cosine")},
        **{name: told[name] for name in ("edit", "note", "reviewer")},
        "cluster": cluster,
        **{f"work_{name}": work[name] for name in ("collection", "id", "title", "source", "sha256")},
        **{f"suspect_{name}": suspect[name] for name in ("id", "source", "sha256")},
        "suspect_sources": "\n".join(suspect["sources"]),
        "sites": " ".join(told["sites"]),
        "first_seen": evidence["first_seen"],
        "compared": evidence["compared"],
        "comment": comments[-1] if comments else "",
    }
    return [cell(values[name]) for name in COLUMNS]


def cell(value: Any) -> str:
    """A value as text that no spreadsheet takes for a formula: strangers choose titles and addresses."""
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
