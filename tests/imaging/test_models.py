"""Models and the bundled network: vectors of length one that depend on the picture alone."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from facsimile.imaging.decode import decode
from facsimile.imaging.describe import describe, describe_many
from facsimile.imaging.distance import cosine
from facsimile.imaging.errors import EmptyImage, ModelError, ModelNotFound, ModelUnavailable
from facsimile.imaging.models import DEFAULT_MODEL, model
from facsimile.imaging.models.base import Model, ModelOptions
from facsimile.imaging.models.bundled import WEIGHTS, Bundled
from facsimile.imaging.record import Description
from tests.support.pictures import EDITS, NAMES, encoded, photograph

pytestmark = pytest.mark.slow


KINDS = {
    "colour": encoded(photograph()),
    "gray": encoded(photograph().convert("L")),
    "transparent": encoded(photograph().convert("RGBA").rotate(20)),
    "palette": encoded(photograph().quantize(16), "GIF"),
    "one pixel": encoded(Image.new("RGB", (1, 1), "teal")),
    "a line": encoded(photograph().resize((3000, 1))),
    "huge": encoded(photograph().resize((5000, 3000)), "JPEG"),
    "black": encoded(Image.new("L", (300, 200))),
}


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def vector_of(data: bytes) -> NDArray[np.float32]:
    vector = describe(data, model=model()).vector
    assert vector is not None
    return vector


# -- the bundled network -----------------------------------------------------------------------------------


def test_the_bundled_file_is_what_the_model_says_it_is():
    facts = onnxruntime.InferenceSession(WEIGHTS, providers=["CPUExecutionProvider"]).get_modelmeta()
    ours = model(DEFAULT_MODEL)
    assert (ours.name, ours.identity) == ("facsimile", facts.custom_metadata_map["version"])
    assert ours.dims == int(facts.custom_metadata_map["dimensions"])
    side = facts.custom_metadata_map["size"]
    assert f"{side}x{side}" in ours.preprocess
    assert WEIGHTS.stat().st_size <= 10_000_000


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_picture_has_a_vector_of_length_one_whatever_its_batch(kind):
    alone = vector_of(KINDS[kind])
    assert alone.dtype == np.float32 and alone.shape == (model().dims,)
    assert np.linalg.norm(alone) == pytest.approx(1, abs=1e-6)

    datas = [*KINDS.values()] * 4 + [KINDS[kind]]
    together = describe_many(datas, model=model(batch=32))[-1]
    assert isinstance(together, Description) and together.vector is not None
    np.testing.assert_allclose(together.vector, alone, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=9), st.integers(1, 10))
def test_vectors_do_not_depend_on_the_batch(seeds, batch):
    side = model().prepare(decode(KINDS["colour"])).shape[0]
    squares = [np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8) for seed in seeds]
    one_by_one = np.concatenate([model().vectors([square]) for square in squares])
    np.testing.assert_allclose(model(batch=batch).vectors(squares), one_by_one, atol=1e-5)


def test_threads_change_nothing():
    np.testing.assert_allclose(
        describe(KINDS["colour"], model=model(threads=2)).vector, vector_of(KINDS["colour"]), atol=1e-5
    )


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_copy_is_nearest_to_its_original(edit):
    stored = np.stack([vector_of(encoded(photograph(name))) for name in NAMES])
    for position, name in enumerate(NAMES):
        assert np.argmax(cosine(stored, vector_of(EDITS[edit](photograph(name))))) == position


def test_a_file_read_small_has_the_vector_of_the_whole_file():
    photo = photograph("astronaut.png", longest=512).resize((2048, 2048), Image.Resampling.BICUBIC)
    small = vector_of(encoded(photo, "JPEG", quality=95))
    assert cosine(small, vector_of(encoded(photo.resize((400, 400), Image.Resampling.BOX)))) > 0.99


def test_a_square_is_made_of_area_averages():
    pixels = np.random.default_rng(1).integers(0, 256, (64, 96, 3), np.uint8)
    averages = pixels.reshape(16, 4, 16, 6, 3).mean(axis=(1, 3))
    square = decode(encoded(Image.fromarray(pixels))).square(16)
    assert np.abs(square - averages).max() <= 1
    gray = decode(encoded(Image.fromarray(pixels[..., 0]))).square(16)
    assert gray.shape == (16, 16, 3) and np.ptp(gray, axis=2).max() == 0


# -- describing --------------------------------------------------------------------------------------------


def test_vectors_stay_beside_their_pictures_when_others_are_bad():
    datas = [encoded(photograph(name)) for name in NAMES[:3]]
    found = describe_many([b"", datas[0], datas[1], b"text", datas[2]], model=model(batch=2))
    assert isinstance(found[0], EmptyImage)
    for described, data in zip([found[1], found[2], found[4]], datas, strict=True):
        assert isinstance(described, Description) and described.vector is not None
        np.testing.assert_allclose(described.vector, vector_of(data), atol=1e-5)


def test_there_is_no_vector_without_a_model_and_the_rest_is_the_same():
    without, beside = describe(KINDS["colour"]), describe(KINDS["colour"], model=model())
    assert without.vector is None
    assert (without.sha256, without.pixels, without.quality) == (beside.sha256, beside.pixels, beside.quality)
    np.testing.assert_array_equal(without.bits, beside.bits)


# -- the registry ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "resnet50", "facsimile:2", "augnet:", "torchvision:", "torchscript"])
def test_an_unknown_name_is_refused_with_the_known_ones(name):
    with pytest.raises(ModelNotFound, match=r"facsimile, augnet, torchvision:NAME.*torchscript:FILE"):
        model(name)


@pytest.mark.parametrize("options", [{"batch": 0}, {"threads": 0}, {"device": "tpu"}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ModelError):
        model(**options)


def test_missing_weights_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr("facsimile.imaging.models.bundled.WEIGHTS", tmp_path / "facsimile-1.onnx")
    with pytest.raises(ModelUnavailable, match=r"facsimile-1\.onnx is missing"):
        describe(KINDS["colour"], model=Bundled(ModelOptions()))


def test_a_device_that_is_not_there_is_said():
    missing: dict[str, Any] = {"CUDAExecutionProvider": "cuda", "CoreMLExecutionProvider": "mps"}
    for provider, device in missing.items():
        if provider not in onnxruntime.get_available_providers():
            with pytest.raises(ModelUnavailable, match=f"cannot use {device}"):
                describe(KINDS["colour"], model=model(device=device))


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("torchvision:resnet18", "torch", "torch"),
        ("torchvision:resnet18", "torchvision", "torch"),
        ("torchscript:net.pt", "torch", "torch"),
        ("augnet", "imgsim", "augnet"),
    ],
)
def test_a_missing_library_is_said_with_the_command_that_brings_it(name, module, extra):
    code = f"""
import sys
sys.modules[{module!r}] = None
from facsimile.imaging.errors import ModelUnavailable
from facsimile.imaging.models import model
try:
    model({name!r})
except ModelUnavailable as error:
    print(error)
"""
    assert f"pip install 'facsimile[{extra}]'" in run(code)


def test_one_process_has_one_model_for_the_same_arguments():
    assert model() is model("facsimile", batch=32)
    assert model(batch=4) is not model()


def test_nothing_heavy_is_loaded_before_it_is_needed_and_torch_never_for_our_own():
    heavy = "print(*{'torch', 'torchvision', 'onnxruntime'} & {*sys.modules})"
    code = f"""
import sys
from facsimile.imaging.describe import describe
from facsimile.imaging.models import model
ours = model()
ours.identity, ours.dims
{heavy}
describe({KINDS["one pixel"]!r}, model=ours)
{heavy}
"""
    assert run(code).split("\n")[:2] == ["", "onnxruntime"]


def _vector_in_a_child(data: bytes, answers: Any) -> None:
    answers.put(describe(data, model=model(threads=2)).vector)


@pytest.mark.skipif(sys.platform != "linux", reason="no safe fork here")
def test_a_process_that_forks_leaves_its_children_able_to_compute():
    expected = describe(KINDS["colour"], model=model(threads=2)).vector
    fork = multiprocessing.get_context("fork")
    answers = fork.Queue()
    child = fork.Process(target=_vector_in_a_child, args=(KINDS["colour"], answers))
    child.start()
    np.testing.assert_allclose(answers.get(timeout=60), expected, atol=1e-5)
    child.join()


# -- what every model keeps to -----------------------------------------------------------------------------


class Means(Model):
    """The mean colour: small enough to know every answer."""

    name = identity = "means"
    dims = 3
    preprocess = "as it is"

    def prepare(self, picture) -> NDArray[Any]:
        return picture.rgb

    def _compute(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        return np.stack([shown.mean(axis=(0, 1), dtype=np.float32) for shown in prepared])


def test_vectors_are_normalised_for_every_model_and_black_has_one_too():
    colours = ["red", "black", "blue"]
    datas = [encoded(Image.new("RGB", (5, 4), colour)) for colour in colours]
    found = describe_many(datas, model=Means(ModelOptions(batch=2)))
    vectors = [one.vector for one in found if isinstance(one, Description)]
    np.testing.assert_allclose(np.array(vectors), np.array([[1, 0, 0], [3**-0.5] * 3, [0, 0, 1]]), atol=1e-6)


def test_no_pictures_have_no_vectors():
    assert Means(ModelOptions()).vectors([]).shape == (0, 3)
    assert Bundled(ModelOptions()).vectors([]).shape == (0, model().dims)
