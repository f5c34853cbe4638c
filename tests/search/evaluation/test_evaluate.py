"""The command `evaluate` as a user meets it: each mode on small sets, bad input, an interruption."""

import csv
import json
import os
import signal
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import ImageOps

from tests.support.browser import Open
from tests.support.html import Elements
from tests.support.pictures import photo_jpeg, photograph, synthetic
from tests.support.shell import Shell
from tests.support.waiting import wait_until


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, str(tmp_path / "index"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six photographs of quite different things."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.jpg").write_bytes(photo_jpeg(number))
    return folder


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    """Two views of each of three things, in folders, and a picture without a label."""
    folder = tmp_path / "objects"
    for number in range(3):
        home = folder / f"thing {number}"
        home.mkdir(parents=True)
        (home / "whole.jpg").write_bytes(photo_jpeg(number))
        image = photograph(["astronaut.png", "chelsea.png", "coffee.png"][number], 200)
        image.crop((4, 4, image.width - 4, image.height - 4)).save(home / "part.jpg")
    (folder / "loose.jpg").write_bytes(synthetic(1))
    return folder


def results(folder: Path) -> dict:
    return json.loads((folder / "results.json").read_text())


def test_attacks_are_measured_per_method_and_attack(shell: Shell, photos: Path) -> None:
    found = shell.json(
        *("evaluate", photos, "--report", "report"),
        *("--methods", "phash,facsimile-hash", "--methods", "facsimile", "--attacks", "jpeg_q30,flip"),
    )
    assert found == results(shell.folder / "report")
    assert found["evaluation"]["mode"] == "attacks"
    assert found["evaluation"]["skipped"] == []
    for name in ("phash", "facsimile-hash", "facsimile"):
        assert found[name]["queries"] == 12
        assert found[name]["groups"]["jpeg_q30"]["recall_at_1"] == 1
        assert found[name]["bytes_per_image"] > 0
    assert found["phash"]["groups"]["flip"]["recall_at_1"] < 1
    assert found["facsimile"]["groups"]["flip"]["recall_at_1"] == 1
    assert found["facsimile"]["recall_at_precision_90"] == 1


def test_the_page_is_one_file_with_plots_and_what_was_missed(shell: Shell, photos: Path, visit: Open) -> None:
    evil = photos / "<b onclick=x>&.jpg"
    evil.write_bytes(photo_jpeg(0)[:900])
    done = shell("evaluate", photos, "--report", "report", "-m", "phash,facsimile-hash", "--attacks", "flip")
    assert done.code == 1
    page = shell.folder / "report" / "index.html"
    found = Elements(page.read_text(encoding="utf-8"))
    tags = [tag for tag, _ in found.elements]
    assert not {"script", "link", "b onclick=x"} & set(tags)
    assert "<b onclick=x>&.jpg was left out: " in found.text
    assert all(
        (values["src"] or "").startswith("data:image/jpeg;base64,")
        for tag, values in found.elements
        if tag == "img"
    )
    assert all(each in found.text for each in ("phash", "facsimile-hash", "flip", "What each method missed"))
    shown = visit(page.as_uri(), width=360)
    assert shown.run("document.documentElement.scrollWidth") == 360
    assert shown.run("document.querySelectorAll('.panels svg .curve').length") == 2
    assert not shown.complaints
    for name in ("curves.svg", "bars.svg"):
        assert ElementTree.parse(shell.folder / "report" / name).getroot().tag.endswith("}svg")


def test_labelled_folders_ask_for_the_others_of_their_folder(shell: Shell, objects: Path) -> None:
    found = shell.json("evaluate", objects, "--report", "report", "--folders", "--methods", "cosine")
    assert found["cosine"]["precision_at_3"] == 1
    assert found["cosine"]["mean_ap"] == 1
    assert found["cosine"]["queries"] == 6


def test_labelled_pairs_give_a_threshold(shell: Shell, objects: Path) -> None:
    names = [f"thing {number}" for number in range(3)]
    rows = [(f"{one}/whole.jpg", f"{other}/part.jpg", int(one == other)) for one in names for other in names]
    with (shell.folder / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("first", "second", "copy"), *rows])
    found = shell.json(
        "evaluate", objects, "--report", "report", "--pairs", "pairs.csv", "--methods", "phash"
    )
    assert found["phash"]["pairs"] == 9
    assert found["phash"]["average_precision"] == 1
    assert 0 <= found["phash"]["best_threshold"] < 32


def test_one_image_ranks_the_others(shell: Shell, photos: Path) -> None:
    done = shell("evaluate", photos, "--report", "report", "--query", photos / "2.jpg", "--methods", "ahash")
    assert done.code == 0
    text = (shell.folder / "report" / "results.md").read_text()
    assert text.startswith("2.jpg, and 5 images ranked by each method.")
    assert "ahash (bits that differ):" in text
    assert "2.jpg:" not in text  # the query itself is no answer
    assert len([line for line in text.splitlines() if line[1:3] == ". "]) == 5


def test_a_matrix_compares_each_with_each(shell: Shell, photos: Path) -> None:
    found = shell.json("evaluate", photos, "--report", "report", "--matrix", "--methods", "euclidean,ssim")
    values = found["euclidean"]["values"]
    assert len(values) == 6
    assert all(values[place][place] == 0 for place in range(6))
    assert all(found["ssim"]["values"][place][place] == pytest.approx(1, abs=1e-4) for place in range(6))


@pytest.fixture
def challenge(tmp_path: Path) -> Path:
    """Queries, references and ground truth as DISC21 has them."""
    folder = tmp_path / "disc"
    for part in ("queries", "references"):
        (folder / part).mkdir(parents=True)
    for number in range(3):
        (folder / "references" / f"R{number}.jpg").write_bytes(photo_jpeg(number))
    for number in range(2):
        photograph(["astronaut.png", "chelsea.png"][number], 150).save(folder / "queries" / f"Q{number}.jpg")
    (folder / "queries" / "Q2.jpg").write_bytes(synthetic(3))
    (folder / "truth.csv").write_text("query_id,reference_id\nQ0,R0\nQ1,R1\nQ2,\n")
    return folder


def test_the_challenge_is_measured_by_its_own_files(shell: Shell, challenge: Path) -> None:
    found = shell.json(
        *("evaluate", challenge, "--report", "report", "--truth", challenge / "truth.csv"),
        *("--methods", "phash,facsimile-hash"),
    )
    assert found["phash"]["micro_ap"] == 1
    assert found["phash"]["recall_at_precision_90"] == 1
    assert found["phash"]["queries"] == 3


def test_copydays_is_measured_by_its_folders(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "copydays"
    for part in ("original", "strong", "jpeg/20"):
        (folder / part).mkdir(parents=True)
    for number in range(3):
        (folder / "original" / f"2000{number}00.jpg").write_bytes(photo_jpeg(number))
        photograph(["astronaut.png", "chelsea.png", "coffee.png"][number], 150).save(
            folder / "jpeg/20" / f"2000{number}01.jpg", quality=20
        )
    ImageOps.mirror(photograph("astronaut.png")).save(folder / "strong" / "2000002.jpg")
    found = shell.json("evaluate", folder, "--report", "report", "--copydays", "--methods", "facsimile-hash")
    groups = found["facsimile-hash"]["groups"]
    assert groups["jpeg/20"]["recall_at_1"] == groups["strong"]["recall_at_1"] == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("empty",), "there is no image in empty"),
        (("nowhere",), "there is no folder nowhere"),
        (("one",), "one has 1 readable image, and an evaluation needs at least 2 images"),
        (("photos", "--methods", "guess"), "there is no method 'guess'; known are euclidean,"),
        (("photos", "--methods", "phash:size=x"), "the option size of the method phash must be 2 to 64"),
        (("photos", "--attacks", "melt"), "there is no attack 'melt'; known are jpeg_q30,"),
        (("photos", "--folders"), "the images of photos have no labels: put those of each object into"),
        (("photos", "--copydays"), "photos has no folder `original`"),
        (("photos", "--truth", "truth.csv"), "there is no folder photos/queries"),
        (("disc", "--truth", "lost.csv"), "lost.csv cannot be read"),
        (("disc", "--truth", "bad.csv"), "bad.csv needs the columns query_id and reference_id"),
        (("photos", "--pairs", "lost.csv"), "lost.csv cannot be read"),
        (("photos", "--pairs", "bad.csv"), "bad.csv needs the columns first, second and copy"),
        (("photos", "--query", "lost.jpg"), "the query image lost.jpg cannot be read"),
        (("photos", "--matrix", "--folders"), "choose one of --folders, --pairs, --query,"),
    ],
)
def test_a_wrong_input_is_a_sentence(
    shell: Shell, photos: Path, challenge: Path, options: tuple[str, ...], sentence: str
) -> None:
    for name in ("empty", "one"):
        (shell.folder / name).mkdir()
    (shell.folder / "one" / "only.jpg").write_bytes(photo_jpeg(0))
    (shell.folder / "bad.csv").write_text("a,b\n1,2\n")
    done = shell("evaluate", *options, "--report", "report")
    assert done.code == 2
    assert sentence in done.complaint
    assert done.out == ""


def test_broken_images_are_named_and_left_out(shell: Shell, photos: Path) -> None:
    (photos / "nonsense.jpg").write_text("no picture")
    (photos / "cut.jpg").write_bytes(photo_jpeg(0)[:900])
    (photos / "empty.png").touch()
    done = shell("evaluate", photos, "--report", "report", "-m", "phash", "--attacks", "gray", "--json")
    assert done.code == 1  # done, with failed items
    skipped = {Path(each["source"]).name for each in done.lines[0]["evaluation"]["skipped"]}
    assert skipped == {"nonsense.jpg", "cut.jpg", "empty.png"}
    assert done.lines[0]["phash"]["queries"] == 6


def test_a_method_that_cannot_run_says_why_and_the_rest_goes_on(shell: Shell, photos: Path) -> None:
    found = shell.json(
        *("evaluate", photos, "--report", "report", "--attacks", "gray"),
        *("--methods", "torchscript:lost.pt,phash"),
    )
    assert found["torchscript:lost.pt"]["failure"]
    assert found["phash"]["queries"] == 6
    assert "- torchscript:lost.pt did not run: " in (shell.folder / "report" / "results.md").read_text()


def test_where_no_method_can_run_the_exit_code_says_so(shell: Shell, photos: Path) -> None:
    done = shell("evaluate", photos, "--report", "report", "--methods", "torchscript:lost.pt")
    assert done.code == 1
    assert "torchscript:lost.pt did not run" in done.out


def parts(report: Path) -> dict[str, int]:
    """The computed parts that were kept, with their times."""
    whole = (path for path in report.rglob("chunk-*.npz") if ".partial" not in path.suffixes)
    return {str(path): path.stat().st_mtime_ns for path in whole}


def begun(process: subprocess.Popen[bytes], report: Path) -> dict[str, int]:
    """Wait until the run has kept its first part."""

    def kept() -> dict[str, int]:
        assert process.poll() is None, process.communicate()
        return parts(report)

    return wait_until(kept, "the first part", interval=0.01)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_run_continues_and_leaves_no_process(
    shell: Shell, photos: Path, how: signal.Signals
) -> None:
    command = ("evaluate", photos, "--report", "report", "--methods", "phash,gist", "--json")
    process = shell.start(*command)
    before = begun(process, shell.folder / "report")
    group = process.pid
    if how is signal.SIGKILL:
        process.kill()  # the main process alone
    else:
        os.killpg(group, how)
    process.communicate(timeout=60)
    assert process.returncode != 0

    def ended() -> bool:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        return False

    wait_until(ended, "the end of the processes of the pool")
    found = shell.json(*command[:-1])
    after = parts(shell.folder / "report")
    assert {name: after[name] for name in before} == before  # not computed again
    assert found["phash"]["queries"] == found["gist"]["queries"] == 6 * 23
    whole = shell.json("evaluate", photos, "--report", "other", "--methods", "phash,gist")
    assert whole["phash"]["groups"] == found["phash"]["groups"]
