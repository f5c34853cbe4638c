"""`demo`: the whole way on real photographs, with no service and no download."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facsimile.cli.output import console, note
from facsimile.imaging.errors import FacsimileError

if TYPE_CHECKING:
    from facsimile.library import Facsimile
    from facsimile.search.evaluation.sheet import Cell

#: the edits that the demo shows, in the order of the table
EDITS = (
    *("jpeg_q10", "quarter_size", "gray", "brightness", "colour", "blur", "noise", "text", "logo"),
    *("border", "flip", "turn_90"),
)

#: photographs and edits in the image of the result
_SHOWN = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
_SHOWN_EDITS = ("jpeg_q10", "colour", "text", "border", "turn_90")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the results.")
    ] = Path("demo"),
) -> None:
    """Ingest photographs, edit them, find the edited copies, and show the result as an image.

    The photographs come with scikit-image, the extra `demo`.
    """
    from facsimile.opening import open
    from facsimile.search.evaluation.sheet import Cell, contact_sheet

    photos = _photographs()
    for made in ("index", "edited"):
        shutil.rmtree(output / made, ignore_errors=True)
    (output / "edited").mkdir(parents=True)
    with open(output / "index") as index:
        tally = index.ingest(*photos)
        note(f"ingested {tally.added} photographs into {output / 'index'}")
        cells = _search_edits(index, photos, output / "edited")
    rows = [
        [
            Cell((photos[0].parent / name).read_bytes(), "original", name),
            *(cells[name, edit] for edit in _SHOWN_EDITS),
        ]
        for name in _SHOWN
    ]
    (output / "result.png").write_bytes(contact_sheet(rows))
    note(f"see {output / 'result.png'}, and try your own images:")
    note(f"  facsimile search --index {output / 'index'} {output / 'edited' / 'astronaut.flip.jpg'}")
    note("  facsimile ingest PHOTOS && facsimile search PICTURE")


def _photographs() -> list[Path]:
    """The images in scikit-image's wheel that are large enough to be photographs."""
    try:
        import skimage.data
    except ImportError:
        raise FacsimileError(
            "the demo shows the photographs of scikit-image: pip install 'facsimile[demo]'"
        ) from None
    folder = Path(skimage.data.__file__).parent
    return [
        path
        for path in sorted(folder.iterdir())
        if path.suffix in (".png", ".jpg") and path.stat().st_size > 10_000
    ]


def _search_edits(index: Facsimile, photos: list[Path], folder: Path) -> dict[tuple[str, str], Cell]:
    """Search for each edit of each photograph and count how many were found."""
    from rich.table import Table

    from facsimile.search.evaluation.attacks import attack
    from facsimile.search.evaluation.sheet import Cell
    from facsimile.search.match import Verdict

    table = Table("edit", "found first", "as a copy", "wrong copies", box=None, padding=(0, 3, 0, 0))
    cells: dict[tuple[str, str], Cell] = {}
    totals = [0, 0, 0]
    for edit in EDITS:
        counts = [0, 0, 0]
        files = [folder / f"{photo.stem}.{edit}.jpg" for photo in photos]
        for photo, file in zip(photos, files, strict=True):
            file.write_bytes(attack(photo.read_bytes(), edit))
        answers = index.finder.search_many([index.queries.read(file) for file in files])
        for photo, file, matches in zip(photos, files, answers, strict=True):
            first = matches[0] if matches else None
            right = first is not None and first.record.source == str(photo)
            counts[0] += right
            counts[1] += bool(right and first and first.verdict is Verdict.COPY)
            counts[2] += sum(
                match.verdict is not Verdict.SIMILAR and match.record.source != str(photo)
                for match in matches
            )
            below = f"{first.verdict}, {first.hamming} bits" if right and first else "not found"
            cells[photo.name, edit] = Cell(file.read_bytes(), edit, below, right)
        table.add_row(edit, *(str(count) for count in counts))
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
    table.add_row(f"of {len(EDITS) * len(photos)}", *(str(total) for total in totals), style="bold")
    console().print(table)
    return cells
