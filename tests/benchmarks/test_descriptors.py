"""Descriptors of the benchmark on real photographs: a copy is nearer than another picture."""

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks.accuracy.descriptor import described
from benchmarks.accuracy.ours import Hash, Network, WholeHash
from benchmarks.accuracy.peers import Dhash64, Goldberg, Gradients, Histogram, Pdq, PdqTurned, Phash64
from benchmarks.accuracy.pictures import Files, Item
from facsimile.imaging.describe import describe, hash_queries
from facsimile.imaging.record import ImageRecord
from facsimile.search.evaluation.methods.goldberg import signature
from facsimile.search.ranking import nearest

skimage_data = pytest.importorskip("skimage.data")

DESCRIPTORS = [Hash, WholeHash, Network, Pdq, PdqTurned, Phash64, Dhash64, Goldberg, Gradients, Histogram]
NAMES = ("astronaut", "chelsea", "coffee", "rocket")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for name in NAMES:
        Image.fromarray(getattr(skimage_data, name)()).save(folder / f"{name}.jpg", quality=95)
    return folder


@pytest.fixture(scope="module")
def files(photographs, tmp_path_factory):
    return Files(photographs, tmp_path_factory.mktemp("edited"))


def similarities(descriptor, edit, files, work):
    """Of the edited photographs to the photographs."""
    if descriptor.key == "pdq":
        pytest.importorskip("pdqhash")
    index = [Item(f"{name}.jpg") for name in NAMES]
    queries = [Item(item.path, edit) for item in index]
    asked, stored = (
        described([descriptor], items, files, work)[descriptor.key] for items in (queries, index)
    )
    return descriptor.similarity(asked, stored)


@pytest.mark.parametrize("kind", DESCRIPTORS)
def test_a_recompressed_photograph_is_nearest_to_itself(kind, files, tmp_path):
    assert similarities(kind(), "jpeg_q30", files, tmp_path).argmax(axis=1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", [Hash, PdqTurned])
@pytest.mark.parametrize("edit", ["flip", "turn_90"])
def test_eight_orientations_find_flips_and_turns(kind, edit, files, tmp_path):
    found = similarities(kind(), edit, files, tmp_path)
    assert found.argmax(axis=1).tolist() == [0, 1, 2, 3]
    assert found.max(axis=1).min() >= -31


def test_the_hash_distance_is_that_of_the_product(files, tmp_path):
    variants = hash_queries(describe(files.read(Item("coffee.jpg", "border")).data))
    records = [ImageRecord.of(describe(files.read(Item(f"{name}.jpg")).data)) for name in NAMES]
    product = [nearest(variants, record).hamming for record in records]
    row = NAMES.index("coffee")
    assert (-similarities(Hash(), "border", files, tmp_path)[row]).tolist() == product


def test_kept_values_are_not_computed_again(files, tmp_path):
    class Once(Phash64):
        key = "once"
        calls = 0

        def describe(self, seen):
            Once.calls += 1
            return super().describe(seen)

    items = [Item(f"{name}.jpg") for name in NAMES]
    first = described([Once()], items, files, tmp_path)
    again = described([Once(), Once()], items, files, tmp_path)
    assert Once.calls == 4
    assert np.array_equal(first["once"]["bits"], again["once"]["bits"])


@pytest.mark.parametrize("edit", ["quarter_size", "brightness"])
def test_the_goldberg_signature_outlives_size_and_brightness(edit, files, tmp_path):
    distances = -similarities(Goldberg(), edit, files, tmp_path)
    own, others = np.diag(distances), distances[~np.eye(4, dtype=bool)]
    assert own.max() < others.min()


def test_a_blank_picture_has_no_goldberg_signature_and_no_hash(tmp_path):
    data = io.BytesIO()
    Image.new("RGB", (200, 100), "gray").save(data, "PNG")
    (tmp_path / "blank.jpg").write_bytes(data.getvalue())
    assert not signature(np.full((100, 200), 128, np.uint8)).any()
    files = Files(tmp_path, tmp_path / "work")
    described_once = described([Hash()], [Item("blank.jpg")], files, tmp_path)[Hash.key]
    assert Hash().similarity(described_once, described_once).item() == -257
