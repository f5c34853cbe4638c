"""`calibrate` and `recall` on both kinds of index: thresholds are kept with it, and all goes by them."""

import csv
import json
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import ImageFilter

from facsimile.search.calibration import UNCERTAIN
from tests.support.pictures import encoded, photograph
from tests.support.shell import Shell

NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "camera.png")

COPIES, OTHERS = 20, 6


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts of photographs, two edits of each, and pairs: mild edits as copies, blurred ones as none."""
    folder = tmp_path_factory.mktemp("crops")
    for part in ("works", "mild", "blurred"):
        (folder / part).mkdir()
    rows = []
    for number in range(COPIES):
        photo = photograph(NAMES[number % 4], 400)
        left, top = 28 * (number // 4), 12 * (number // 4)
        crop = photo.crop((left, top, left + 160, top + 160))
        name = f"{number:02}.jpg"
        (folder / "works" / name).write_bytes(encoded(crop, "JPEG", quality=95))
        (folder / "mild" / name).write_bytes(encoded(crop, "JPEG", quality=85))
        (folder / "blurred" / name).write_bytes(
            encoded(crop.filter(ImageFilter.GaussianBlur(1.5)), "JPEG", quality=60)
        )
        rows.append((f"works/{name}", f"mild/{name}", 1))
    rows += [(f"works/{number:02}.jpg", f"blurred/{number:02}.jpg", 0) for number in range(OTHERS)]
    with (folder / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("first", "second", "copy"), *rows])
    return folder


@pytest.fixture
def stored(facsimile: Shell, crops: Path) -> Shell:
    """The command line on an index of the parts."""
    assert facsimile.json("ingest", crops / "works", "--collection", "art")["added"] == COPIES
    return facsimile


def test_a_calibration_makes_every_verdict_stricter_at_once(stored: Shell, crops: Path) -> None:
    blurred, mild = crops / "blurred" / "01.jpg", crops / "mild" / "01.jpg"
    (before,) = stored.json("search", blurred)["matches"][:1]
    assert before["verdict"] == "copy"
    found = stored.json(
        "calibrate", "--pairs", crops / "pairs.csv", "--precision", "0.85", "--collection", "art"
    )
    assert found["measured"]["copies"] == COPIES + OTHERS
    assert found["measured"]["wrong_before"] == OTHERS
    assert found["measured"]["precision_after"]["share"] >= 0.85
    low, high = found["measured"]["precision_after"]["interval_95"]
    assert low < found["measured"]["precision_after"]["share"] <= high
    status = stored.json("status")
    assert status["calibrations"] == [found]
    assert "calibration art: copies from score " in stored("status").out
    after = stored.json("search", mild)["matches"][0]
    assert after["verdict"] == "copy"
    after = stored.json("search", blurred)["matches"][0]
    assert (after["verdict"], after["note"]) == ("similar", UNCERTAIN)
    assert after["id"] == before["id"]
    assert stored("scan", blurred, "--catalogue", "art", "--report", "report").code == 0
    assert (stored.folder / "report" / "findings.jsonl").read_text() == ""
    other = sha256(blurred.read_bytes()).hexdigest()
    clusters = [json.dumps(cluster) for cluster in stored("duplicates", "--json").lines]
    assert not [cluster for cluster in clusters if before["id"] in cluster and other in cluster]
    assert stored("calibrate", "--reset", "--collection", "art").code == 0
    assert stored.json("search", blurred)["matches"][0]["verdict"] in ("copy", "identical")
    assert stored.json("status")["calibrations"] == []


def test_edits_of_stored_images_keep_the_thresholds_where_nothing_is_wrong(stored: Shell) -> None:
    found = stored.json("calibrate", "--attacks", "jpeg_q30,gray,flip", "--precision", "0.9")
    assert found["collection"] == ""
    assert found["measured"]["images"] == COPIES
    assert found["measured"]["wrong_after"] <= found["measured"]["wrong_before"]
    assert found["measured"]["precision_after"]["share"] >= 0.9


@pytest.mark.parametrize(
    ("options", "code", "sentence"),
    [
        (
            ("--images", "5", "--attacks", "flip"),
            1,
            "images are too few for thresholds: 20 are needed; nothing",
        ),
        (
            ("--attacks", "flip", "--precision", "0.999"),
            1,
            "copies are too few to tell a precision of 0.999: 3,000",
        ),
        (("--findings",), 1, "0 images are too few for thresholds"),
        (("--attacks", "melt"), 2, "there is no attack 'melt'"),
        (("--collection", "lost"), 2, "there is no collection lost in"),
        (("--pairs", "lost.csv"), 2, "lost.csv cannot be read"),
        (("--findings", "--reset"), 2, "choose one of --pairs, --findings and --reset"),
    ],
)
def test_what_cannot_be_calibrated_is_a_sentence(
    embedded: Shell, crops: Path, options: tuple[str, ...], code: int, sentence: str
) -> None:
    embedded.json("ingest", crops / "works")
    done = embedded("calibrate", *options)
    assert done.code == code
    assert sentence in done.complaint
    assert embedded.json("status")["calibrations"] == []


def test_recall_compares_candidates_with_exact_search(stored: Shell) -> None:
    found = stored.json("recall", "--images", "12")
    assert (found["queries"], found["records"]) == (12, COPIES)
    near = found["hash"][0]
    assert near["distance"] == [0, 31]
    assert near["found"] == near["neighbours"] > 0
    assert found["vector"] is None  # the index has hashes alone
    assert "12 edited images against 20 records" in stored("recall", "--images", "12").out


def test_recall_of_vectors(embedded: Shell, crops: Path) -> None:
    shell = embedded.having(FACSIMILE_MODEL="facsimile")
    shell.json("ingest", crops / "works")
    found = shell.json("recall", "--images", "8")
    assert found["vector"] == {"neighbours": 10, "recall": 1}
