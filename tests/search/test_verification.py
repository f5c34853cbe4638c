"""Proof by geometry: what is shown to be a copy, as what, and what is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from facsimile.imaging.describe import describe
from facsimile.imaging.record import Description, ImageRecord
from facsimile.search.comparison import compare
from facsimile.search.evaluation.attacks import attack
from facsimile.search.index.base import Signatures
from facsimile.search.index.embedded.index import EmbeddedIndex
from facsimile.search.match import Match, Verdict
from facsimile.search.proof import Policy, Proof
from facsimile.search.ranking import Thresholds
from facsimile.search.verification import confirm, unreached, verified
from facsimile.search.verifier import Verifier
from tests.support.pictures import encoded, photograph

Picture = Image.Image


def described(picture: Picture | bytes) -> Description:
    return describe(picture if isinstance(picture, bytes) else encoded(picture))


def proof(query: Picture | bytes, stored: Picture) -> Proof | None:
    return Verifier(described(query), Policy()).proof(ImageRecord.of(described(stored)))


def chelsea() -> Picture:
    return photograph("chelsea.png", 1000)


def crop(picture: Picture) -> Picture:
    """The middle: half the width, half the height."""
    width, height = picture.size
    return picture.crop((width // 4, height // 4, 3 * width // 4, 3 * height // 4))


def pasted(picture: Picture, share: float = 0.4) -> Picture:
    page = photograph("coffee.png", 1000).copy()
    small = picture.resize(
        (round(share * page.width), round(share * page.width * picture.height / picture.width))
    )
    page.paste(small, (50, 60))
    return page


def collage(picture: Picture) -> Picture:
    page = Image.new("RGB", (800, 600), "white")
    others = (photograph(name) for name in ("astronaut.png", "rocket.jpg", "camera.png"))
    for place, each in enumerate((picture, *others)):
        page.paste(ImageOps.contain(each, (390, 290)), (place % 2 * 400, place // 2 * 300))
    return page


EDITS: dict[str, tuple[Callable[[Picture], Picture], str]] = {
    "crop": (crop, "crop of 25 %"),
    "mirror": (ImageOps.mirror, "mirrored"),
    "mirror and crop": (lambda picture: ImageOps.mirror(crop(picture)), "crop of 25 %, mirrored"),
    "turn": (lambda picture: picture.transpose(Image.Transpose.ROTATE_270), "turned by 90°"),
    "scale": (lambda picture: picture.reduce(2), "scaled to 50 %"),
    "paste": (pasted, "pasted at 8 %, 15 %, 40 % wide"),
    "border": (lambda picture: ImageOps.expand(picture, 60, "navy"), "pasted at"),
    "collage": (collage, "pasted at 0 %, 0 %"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_proven_and_told_in_words(edit: str) -> None:
    change, words = EDITS[edit]
    found = proof(change(chelsea()), chelsea())
    assert found is not None and found.finding == "copy"
    assert words in found.transformation.words
    assert found.probability > 0.7


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg"])
@pytest.mark.parametrize(
    "edit", ["perspective", "meme", "social_mix", "screenshot", "jpeg_q10", "background"]
)
def test_attacks_are_proven(name: str, edit: str) -> None:
    picture = photograph(name)
    found = proof(attack(encoded(picture), edit), picture)
    assert found is not None and found.finding == "copy"


def test_the_area_is_where_the_copy_lies_in_both() -> None:
    page, small = photograph("coffee.png", 1000), pasted(chelsea(), 0.5)
    found = proof(small, chelsea())
    assert found is not None
    area = found.as_json()["area"]
    np.testing.assert_allclose(np.min(area["query"], axis=0), (50 / page.width, 60 / page.height), atol=0.02)
    assert np.ptp(area["query"], axis=0)[0] == pytest.approx(0.5, abs=0.03)
    cut = proof(ImageOps.mirror(crop(chelsea())), chelsea())
    assert cut is not None
    area = cut.as_json()["area"]
    for corner, expected in (("min", 0.25), ("max", 0.75)):
        np.testing.assert_allclose(getattr(np, corner)(area["stored"], axis=0), expected, atol=0.02)
    np.testing.assert_allclose(sorted(area["query"]), [(0, 0), (0, 1), (1, 0), (1, 1)], atol=0.02)


def test_a_slanted_view_is_told_as_perspective() -> None:
    picture = chelsea()
    width, height = picture.size
    keystone = (1, width / (6 * height), 0, 0, 4 / 3, 0, 0, 1 / (3 * height))  # below, three quarters as wide
    aslant = picture.transform(picture.size, Image.Transform.PERSPECTIVE, keystone, Image.Resampling.BICUBIC)
    found = proof(aslant, picture)
    assert found is not None and found.finding == "copy"
    assert "in perspective" in found.transformation.words


def text_page(seed: int) -> Picture:
    page = Image.new("RGB", (600, 800), "white")
    rng, font = np.random.default_rng(seed), ImageFont.load_default(16)
    words = (
        "the",
        "record",
        "of",
        "a",
        "copy",
        "match",
        "band",
        "distance",
        "query",
        "index",
        "hash",
        "term",
    )
    for line in range(36):
        ImageDraw.Draw(page).text((40, 30 + 20 * line), " ".join(rng.choice(words, 10)), "black", font)
    return page


def tiles(seed: int, colour: str) -> Picture:
    """A pattern that repeats, each with another motif."""
    rng = np.random.default_rng(seed)
    motif = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((40, 40))
    page = Image.new("RGB", (400, 400), colour)
    for x in range(0, 400, 50):
        for y in range(0, 400, 50):
            page.paste(motif, (x, y))
    return page


def branded(name: str) -> Picture:
    """A photograph with a logo: the same for all."""
    page = photograph(name).copy()
    page.paste(photograph("hubble_deep_field.jpg").resize((page.width // 3, page.height // 3)), (10, 10))
    return page


def nothing_in_common(query: Picture, stored: Picture) -> bool:
    found = proof(query, stored)
    return found is None or found.finding != "copy"


def test_pages_of_text_are_no_copies_of_each_other() -> None:
    assert nothing_in_common(text_page(1), text_page(2))
    same = proof(attack(encoded(text_page(1)), "crop_70"), text_page(1))
    assert same is not None and same.finding == "copy"


def test_tiles_of_different_motifs_are_no_copies() -> None:
    assert nothing_in_common(tiles(1, "gray"), tiles(2, "gray"))


def test_pictures_with_the_same_logo_are_no_copies() -> None:
    assert nothing_in_common(branded("chelsea.png"), branded("coffee.png"))
    assert nothing_in_common(branded("astronaut.png"), branded("rocket.jpg"))


@pytest.mark.parametrize(
    ("query", "stored"),
    [
        (Image.new("RGB", (300, 200), "white"), Image.new("RGB", (300, 200), "black")),
        (Image.new("RGB", (300, 200), "white"), photograph()),
        (photograph(), Image.new("RGB", (300, 200), "white")),
        (Image.new("RGB", (1, 1)), photograph()),
        (photograph().resize((9, 7)), photograph()),
        (photograph("coffee.png"), photograph("chelsea.png")),
    ],
    ids=["blank and blank", "blank", "stored blank", "one pixel", "tiny", "another"],
)
def test_nothing_is_proven_where_nothing_can_be(query: Picture, stored: Picture) -> None:
    assert proof(query, stored) is None


def test_a_record_without_a_readable_thumbnail_proves_nothing() -> None:
    stored = ImageRecord.of(described(chelsea()))
    verifier = Verifier(described(chelsea()), Policy())
    assert verifier.proof(stored.replaced(thumbnail=None)) is None
    assert verifier.proof(stored.replaced(thumbnail=b"\xff\xd8 no picture")) is None


def match_of(verdict: Verdict, hamming: int, score: float = 0.5) -> Match:
    return Match(record=ImageRecord.of(described(chelsea())), verdict=verdict, score=score, hamming=hamming)


def proof_of(finding: str) -> Proof:
    found = proof(crop(chelsea()), chelsea())
    assert found is not None
    residual = found.residual if finding == "copy" else 1.0
    return dataclasses.replace(found, finding=finding, residual=residual)  # type: ignore[arg-type]


def test_a_proof_raises_the_verdict() -> None:
    raised = confirm(match_of(Verdict.SIMILAR, 120), proof_of("copy"))
    assert (raised.verdict, raised.note) == (Verdict.COPY, "") and raised.score > 0.9


@pytest.mark.parametrize("finding", ["same scene", "same template", "recoloured", "negative"])
@pytest.mark.parametrize("hamming", [4, 40, 120])
def test_pixels_that_differ_outweigh_hash_and_vector(finding: str, hamming: int) -> None:
    lowered = confirm(match_of(Verdict.COPY, hamming, 0.9999), proof_of(finding))
    assert (lowered.verdict, lowered.note) == (Verdict.SIMILAR, finding) and lowered.score <= 0.5
    unfitting = confirm(match_of(Verdict.COPY, hamming, 0.9999), None)
    assert (unfitting.verdict, unfitting.note) == (Verdict.SIMILAR, "") and unfitting.score <= 0.5


def test_the_same_bytes_need_no_proof() -> None:
    identical = match_of(Verdict.IDENTICAL, 0, 1)
    assert confirm(identical, proof_of("same scene")) is identical


def test_what_is_not_reached_in_time_is_a_copy_only_within_a_few_bits() -> None:
    near, far = (match_of(Verdict.COPY, hamming, 0.999) for hamming in (8, 20))
    assert unreached(near, Policy()) is near
    assert unreached(far, Policy()).verdict is Verdict.SIMILAR


def test_a_comparison_shows_the_proof() -> None:
    told = compare(described(chelsea()), described(crop(chelsea()))).as_json()
    assert (told["verdict"], told["proof"]["finding"]) == ("copy", "copy")
    assert told["proof"]["transform"]["kept"] == pytest.approx(0.25, abs=0.02)
    blind = compare(described(chelsea()), described(crop(chelsea())), verify=False).as_json()
    assert (blind["verdict"], blind["proof"]) == ("different", None)


@pytest.mark.parametrize("vain, verdict", [(8, Verdict.COPY), (3, Verdict.SIMILAR)])
def test_after_so_many_candidates_in_vain_no_further_one_is_verified(
    tmp_path: Path, vain: int, verdict: Verdict
) -> None:
    query = described(crop(chelsea()))
    names = ("coffee.png", "rocket.jpg", "camera.png", "chelsea.png")
    records = [ImageRecord.of(described(photograph(name, 1000)), id=name) for name in names]
    with EmbeddedIndex.create(tmp_path / "index", Signatures("test-1")) as index:
        index.put(records)
        answer = [Match(record=record, verdict=Verdict.SIMILAR, score=0.3, hamming=90) for record in records]
        (matches,) = verified(index, [query], [answer], Thresholds(), Policy(vain=vain))
    assert [match.verdict for match in matches] == [Verdict.SIMILAR] * 3 + [verdict]
