"""What to do with files that are stored more than once, as rows of a table that people can edit."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from facsimile.imaging.record import ImageRecord
from facsimile.ingest.errors import ActionRefused
from facsimile.ingest.file_actions import Act, FileAction
from facsimile.search.duplicates.cluster import Cluster

#: what a row may say; `keep` leaves a file, and the others rest on it
ACTS: tuple[Act, ...] = ("move", "hardlink", "delete")
KEEP = "keep"


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One file of a cluster: its place, the SHA-256 of its bytes, and why it is kept or what it is."""

    cluster: int
    action: str
    path: str
    sha256: str
    why: str


def rows_of(
    clusters: Iterable[Cluster], act: Act, *, references: Sequence[Path] = (), edited: bool = False
) -> list[PlanRow]:
    """The rows of clusters: files to keep, and those to act on.

    Kept are the keeper, everything in the folders `references`, and, unless `edited`, what shows the picture
    with other pixels. A picture in a reference folder replaces a keeper that is not larger.
    """
    rows: list[PlanRow] = []
    real = [folder.resolve() for folder in references]
    for number, cluster in enumerate(clusters, 1):
        keeper = cluster.keeper
        if keeper is None:
            continue
        for record in cluster.records:
            for place in record.present:
                if Path(place).is_absolute():
                    action, why = _decided(record, place, cluster, keeper, real, act, edited=edited)
                    rows.append(PlanRow(number, action, place, record.sha256, why))
    return rows


def _decided(
    record: ImageRecord,
    place: str,
    cluster: Cluster,
    keeper: ImageRecord,
    references: Sequence[Path],
    act: Act,
    *,
    edited: bool,
) -> tuple[str, str]:
    if _is_under(place, references):
        return KEEP, "in a reference folder"
    if record is keeper and place == record.present[0] and not _is_replaced(cluster, keeper, references):
        return KEEP, cluster.why
    same_bytes = record.sha256 == keeper.sha256
    if same_bytes or record.pixels == keeper.pixels:
        return act, "the same bytes" if same_bytes else "the same pixels"
    match = next(member.match for member in cluster.members if member.record is record)
    words = (match.edit or match.verdict.value) if match else ""
    return (act if edited else KEEP), f"edited: {words}"


def _is_replaced(cluster: Cluster, keeper: ImageRecord, references: Sequence[Path]) -> bool:
    """Whether a reference folder has the picture at least as large."""
    area = keeper.width * keeper.height
    return any(
        record.width * record.height >= area and any(_is_under(place, references) for place in record.present)
        for record in cluster.records
    )


def _is_under(place: str, folders: Sequence[Path]) -> bool:
    real = Path(place).parent.resolve()
    return any(real.is_relative_to(folder) for folder in folders)


def actions_of(rows: Sequence[PlanRow]) -> list[FileAction | str]:
    """What a plan does, file by file; a sentence in place of a row of whose picture no file would be left."""
    kept: dict[int, list[PlanRow]] = {}
    for row in rows:
        if row.action == KEEP:
            kept.setdefault(row.cluster, []).append(row)
    actions: list[FileAction | str] = []
    for row in rows:
        if row.action == KEEP:
            continue
        others = kept.get(row.cluster, [])
        same = [other for other in others if other.sha256 == row.sha256]
        if row.action not in ACTS:
            actions.append(f"{row.path}: {row.action!r} is no action: use {KEEP}, {', '.join(ACTS)}")
        elif not others:
            actions.append(f"{row.path}: no file of its cluster is kept")
        else:
            (other, *_) = same or others
            actions.append(FileAction(row.action, row.path, row.sha256, other.path, other.sha256))
    return actions


def write_plan(rows: Iterable[PlanRow], file: Path) -> None:
    """Write a plan as CSV with a heading."""
    with file.open("w", encoding="utf-8", errors="surrogateescape", newline="") as out:
        writer = csv.DictWriter(out, [each.name for each in fields(PlanRow)])
        writer.writeheader()
        writer.writerows(map(asdict, rows))


def read_plan(file: Path) -> list[PlanRow]:
    """Read a plan that was perhaps edited. Raises ActionRefused where a row is none."""
    rows = []
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        for number, row in enumerate(csv.DictReader(text), 2):
            try:
                rows.append(
                    PlanRow(
                        int(row["cluster"]),
                        row["action"].strip().lower() or KEEP,
                        row["path"],
                        row["sha256"].strip().lower(),
                        row.get("why") or "",
                    )
                )
            except (KeyError, TypeError, ValueError, AttributeError):
                raise ActionRefused(
                    f"{file}, line {number}: a plan has the columns cluster, action, path, sha256, why"
                ) from None
    return rows
