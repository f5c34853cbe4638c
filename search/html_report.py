"""Answers as a page with pictures: one self-contained HTML file that needs no server and no network."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from facsimile.search.duplicates.cluster import Cluster
from facsimile.search.index.base import Index
from facsimile.search.match import Match

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One query as the page shows it: its name, thumbnail (JPEG bytes), size in pixels, and matches."""

    name: str
    thumbnail: bytes
    width: int
    height: int
    matches: Sequence[Match]


def search_page(index: Index, answers: Sequence[Answer]) -> str:
    """The page of a search: each query beside its matches."""
    pictures = _thumbnails(index, [match.record.key for answer in answers for match in answer.matches])
    rows = [
        {
            "name": answer.name,
            "picture": _inline(answer.thumbnail),
            "width": answer.width,
            "height": answer.height,
            "matches": [
                {
                    "picture": pictures.get(match.record.key, ""),
                    "says": _says(match),
                    "record": match.record,
                    **match.as_json(),
                }
                for match in answer.matches
            ],
        }
        for answer in answers
    ]
    return _render("search.html.j2", answers=rows)


def duplicates_page(index: Index, clusters: Sequence[Cluster]) -> str:
    """The page of the duplicates: a row of pictures for each cluster, the keeper marked; the reader can
    choose a collection."""
    pictures = _thumbnails(index, [record.key for cluster in clusters for record in cluster.records])
    collections = sorted({record.collection for cluster in clusters for record in cluster.records})
    rows = [
        {
            "places": cluster.places,
            "note": cluster.note,
            "why": cluster.why,
            "within": sorted({collections.index(record.collection) for record in cluster.records}),
            "images": [
                {
                    "picture": pictures.get(member.record.key, ""),
                    "record": member.record,
                    "keeper": member.record is cluster.keeper,
                    "says": _says(member.match) if member.match else "",
                    "note": member.match.note if member.match else "",
                }
                for member in cluster.members
            ],
        }
        for cluster in clusters
    ]
    return _render("duplicates.html.j2", clusters=rows, collections=collections)


def _says(match: Match) -> str:
    """The distances and the transformation as people read them."""
    parts = [] if match.hamming is None else [f"{match.hamming} of 256 bits differ"]
    if match.cosine is not None:
        parts.append(f"cosine {match.cosine:.2f}")
    if match.proof:
        parts.append(f"{match.proof.basis}, pixels {match.proof.agreement:.2f}")
    return ", ".join(part for part in [*parts, match.edit] if part)


def _thumbnails(index: Index, keys: Sequence[Any]) -> dict[Any, str]:
    records = index.get(keys)
    return {key: _inline(record.thumbnail) for key, record in records.items() if record.thumbnail}


def _inline(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()


def _render(template: str, **values: object) -> str:
    return environment("facsimile.search").get_template(template).render(**values)


def environment(package: str, folder: str = "templates") -> Environment:
    """The templates in a folder of a package; values are escaped, and none may be missing."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(package, folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )


def markup(text: str) -> str:
    """A text of ours as markup that a template does not escape."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - never what others wrote


def pair_asset(name: str) -> str:
    """`pair.css` or `pair.js`: style and script for two pictures with their common area."""
    return files("facsimile.search").joinpath("templates", name).read_text(encoding="utf-8")
