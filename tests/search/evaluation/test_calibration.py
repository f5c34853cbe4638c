"""Thresholds from labelled matches."""

import pytest

from facsimile.search.calibration import Calibration
from facsimile.search.evaluation.calibration import LabelledMatch, fitted


def labelled(
    right: bool, image: int, score: float, hamming: int = 20, agreement: float = 0.9
) -> LabelledMatch:
    return LabelledMatch(right, image, True, score, hamming, agreement)


def fit(matches: list[LabelledMatch], precision: float = 0.99) -> Calibration | str:
    return fitted(matches, precision=precision, collection="", signatures="", origin="test", hash_limit=48)


def test_the_score_that_tells_right_from_wrong_is_found() -> None:
    right = [labelled(True, number, 0.8 + number / 10_000) for number in range(400)]
    wrong = [labelled(False, number, 0.6, hamming=40) for number in range(40)]
    found = fit(right + wrong)
    assert isinstance(found, Calibration)
    assert 0.6 < found.score <= 0.8
    assert 20 <= found.hash < 40
    assert found.measured["wrong_after"] == 0
    assert found.measured["kept"]["share"] == 1
    low, high = found.measured["precision_after"]["interval_95"]
    assert 0.98 < low < high == 1


def test_the_agreement_is_used_where_the_score_cannot_tell() -> None:
    right = [labelled(True, number, 0.9, agreement=0.95) for number in range(400)]
    wrong = [labelled(False, number, 0.9, agreement=0.8) for number in range(40)]
    found = fit(right + wrong)
    assert isinstance(found, Calibration)
    assert 0.8 < found.agreement <= 0.95
    assert found.measured["wrong_after"] == 0


def test_no_thresholds_are_made_up_where_nothing_tells_them_apart() -> None:
    same = [labelled(number % 2 == 0, number, 0.9) for number in range(400)]
    found = fit(same)
    assert isinstance(found, str)
    assert "no thresholds reach a precision of 0.99 on these 400 matches, of which 200 are wrong" in found


@pytest.mark.parametrize(
    ("images", "copies", "sentence"), [(10, 400, "10 images are"), (50, 200, "200 copies are")]
)
def test_too_few_are_refused(images: int, copies: int, sentence: str) -> None:
    found = fit([labelled(True, number % images, 0.9) for number in range(copies)])
    assert isinstance(found, str)
    assert f"{sentence} too few" in found
