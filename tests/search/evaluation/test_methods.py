"""The methods of the evaluation: a copy is nearer than another picture."""

import io

import numpy as np
import pytest
from PIL import Image

from facsimile.search.errors import InvalidRequest, MethodUnavailable
from facsimile.search.evaluation.attacks import attack
from facsimile.search.evaluation.methods import DEFAULT_METHODS, open_method
from facsimile.search.evaluation.methods.base import DescriptorMethod
from facsimile.search.evaluation.metrics import Answers, Figures
from facsimile.search.evaluation.picture import EvaluationPicture

skimage_data = pytest.importorskip("skimage.data")


@pytest.fixture(scope="module")
def photographs():
    files = []
    for name in ("astronaut", "chelsea", "coffee"):
        file = io.BytesIO()
        Image.fromarray(getattr(skimage_data, name)()).save(file, "PNG")
        files.append(file.getvalue())
    return files


@pytest.mark.parametrize("spec", [name for name in DEFAULT_METHODS if name != "facsimile"])
def test_a_recompressed_photograph_is_nearest_to_itself(spec, photographs):
    try:
        method = open_method(spec)
    except MethodUnavailable as error:
        pytest.skip(str(error))
    assert isinstance(method, DescriptorMethod)
    stored = method.compute([EvaluationPicture(data) for data in photographs])
    asked = method.compute([EvaluationPicture(attack(data, "jpeg_q30")) for data in photographs])
    values = method.distances(asked, stored)
    nearest = values.argmax(axis=1) if method.direction == "similarity" else values.argmin(axis=1)
    assert nearest.tolist() == [0, 1, 2]


def test_ssim_is_that_of_scikit_image(photographs):
    from skimage.metrics import structural_similarity

    method = open_method("ssim")
    assert isinstance(method, DescriptorMethod)
    computed = method.compute([EvaluationPicture(data) for data in photographs])
    first, second = computed["pixels"][:2]
    expected = structural_similarity(first, second, data_range=255)
    assert method.distances(computed, computed)[0, 1] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("nonsense", "there is no method 'nonsense'"),
        ("ahash:colour=red", "the method ahash has no option 'colour'"),
        ("orb:features=1", "the option features of the method orb must be 20 to 5000, not '1'"),
    ],
)
def test_a_wrong_method_is_named(spec, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        open_method(spec)


def test_figures_of_answers_worked_by_hand():
    similarity = np.array([[0.9, 0.1], [0.2, 0.6], [0.1, 0.5]], np.float32)
    figures = Figures.of(Answers.of(similarity, [(0,), (0,), ()], [None, None, None]))
    assert figures.recall_at_1 == 0.5
    assert figures.recall_at_10 == 1
    # falling: 0.9 right, 0.6 wrong, 0.5 wrong, 0.2 right, of two in all
    assert figures.micro_ap == pytest.approx((1 + 2 / 4) / 2)
    assert figures.recall_at_precision_90 == 0.5
