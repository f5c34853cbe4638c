"""The one door: edited copies stay near, others far, blank ones aside, and whatever comes in is survived."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from facsimile.imaging.describe import describe, describe_many, hash_queries, hash_queries_of_bits
from facsimile.imaging.distance import hamming
from facsimile.imaging.errors import EmptyImage, ImageError, NotAnImage
from facsimile.imaging.models.base import Model, ModelOptions
from facsimile.imaging.orientation import ORIENTATIONS, inverse, orient
from facsimile.imaging.record import Description
from facsimile.imaging.timings import Timings
from tests.support.pictures import EDITS, NAMES, bordered, encoded, photograph


def nearest(query: Description, stored: Description) -> tuple[int, str]:
    """The distance of two pictures as a search has it, and the orientation that gave it."""
    hashes = [bits for bits in (stored.bits, stored.bits_trimmed) if bits is not None]
    return min(
        (int(hamming(look.bits, bits)), look.orientation) for look in hash_queries(query) for bits in hashes
    )


@pytest.fixture(scope="module")
def stored() -> dict[str, Description]:
    return {name: describe(encoded(photograph(name))) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("edit", EDITS)
def test_edited_copies_stay_near_and_all_others_far(stored, name, edit):
    query = describe(EDITS[edit](photograph(name)))
    for other, description in stored.items():
        distance, _ = nearest(query, description)
        assert distance <= 48 if other == name else distance > 70


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_turned_copies_are_recognised_with_the_way_they_were_turned(stored, orientation):
    turned = orient(np.asarray(photograph("coffee.png")), orientation)
    query = describe(encoded(Image.fromarray(np.ascontiguousarray(turned)), "JPEG", quality=80))
    distance, undone_by = nearest(query, stored["coffee.png"])
    assert distance <= 12
    assert inverse(undone_by) == orientation


def test_the_facts_of_a_description():
    photo = photograph()
    data = encoded(bordered(photo, "white"))
    description = describe(data)
    assert description.sha256 == hashlib.sha256(data).hexdigest()
    assert description.size == len(data)
    assert (description.width, description.height) == bordered(photo).size
    assert description.bits.shape == (32,) and description.bits.dtype == np.uint8
    assert description.bits_trimmed is not None
    assert hamming(description.bits_trimmed, describe(encoded(photo)).bits) <= 12
    assert describe(encoded(photo, "JPEG", quality=95)).bits_trimmed is None


# -- quality -----------------------------------------------------------------------------------------------


def drawing(*strokes) -> Image.Image:
    sheet = Image.new("L", (400, 300), 255)
    for stroke in strokes:
        ImageDraw.Draw(sheet).line(stroke, fill=0, width=2)
    return sheet


def printed_page() -> Image.Image:
    page, widths = Image.new("L", (500, 700), 250), np.random.default_rng(3)
    for y in range(60, 640, 16):
        x = 50
        while x < 430:
            width = int(widths.integers(8, 40))
            ImageDraw.Draw(page).rectangle([x, y, x + width, y + 7], fill=30)
            x += width + 7
    return page


def slopes() -> dict[str, Image.Image]:
    y, x = np.mgrid[:300, :400]
    grain = np.random.default_rng(4).normal(0, 10, (300, 400))
    values = {
        "across": x * 255 / 400,
        "down": y * 255 / 300,
        "aslant": (x / 400 + y / 300) * 127,
        "vignette": 200 - ((x - 200) ** 2 + (y - 150) ** 2) / 500,
        "grain": 130 + grain,
        "an edge": (x > 200) * 255,
    }
    return {name: Image.fromarray(np.clip(v, 0, 255).astype(np.uint8)) for name, v in values.items()}


@pytest.mark.parametrize("colour", ["black", "white", "red", "#777777"])
def test_a_blank_picture_says_nothing_and_asks_for_nothing(colour):
    for data in (encoded(Image.new("RGB", (200, 150), colour), "JPEG", quality=q) for q in (10, 50, 95)):
        blank = describe(data)
        assert blank.quality == 0
        assert hash_queries(blank) == []


@pytest.mark.parametrize("name", slopes())
@pytest.mark.parametrize("quality", [95, 50])
def test_gradients_and_grain_say_nothing(name, quality):
    assert describe(encoded(slopes()[name], "JPEG", quality=quality)).quality == 0


@pytest.mark.parametrize(
    "image",
    [
        drawing((20, 30, 300, 200), (50, 250, 120, 20), (10, 10, 390, 40)),
        drawing((20, 30, 300, 200)),
        printed_page(),
        photograph("camera.png").convert("L").point(lambda value: 180 + (value - 128) // 10),
        photograph("chelsea.png").filter(ImageFilter.GaussianBlur(4)),
        *(photograph(name) for name in NAMES),
    ],
)
def test_drawings_pages_fog_and_photographs_say_something(image):
    assert describe(encoded(image, "JPEG", quality=75)).quality > 0


def test_a_blank_middle_is_no_second_hash():
    framed = Image.new("RGB", (300, 200), "white")
    framed.paste("black", (60, 40, 240, 160))
    assert describe(encoded(framed)).bits_trimmed is None


# -- looks -------------------------------------------------------------------------------------------------


def test_looks_are_whole_and_trimmed_in_eight_orientations(stored):
    query = describe(encoded(bordered(photograph())))
    found = hash_queries(query)
    assert {(look.orientation, look.trimmed) for look in found} == {
        (orientation, trimmed) for orientation in ORIENTATIONS for trimmed in (False, True)
    }
    assert {len(look.terms) for look in found} == {64}
    assert {len(look.terms) for look in hash_queries(query, probes="all")} == {272}
    (upright,) = hash_queries(stored["chelsea.png"], orientations=("upright",))
    assert (upright.orientation, upright.trimmed) == ("upright", False)


def test_a_hash_that_is_its_own_mirror_image_is_asked_for_once():
    square = np.random.default_rng(5).integers(0, 2, (16, 16), dtype=np.uint8)
    assert len(hash_queries_of_bits(np.packbits(square))) == 8
    assert len(hash_queries_of_bits(np.packbits(square ^ square.T))) == 4


def test_looks_of_a_stored_record_find_turned_copies(stored):
    turned = describe(encoded(photograph("rocket.jpg").transpose(Image.Transpose.ROTATE_90)))
    found = hash_queries_of_bits(turned.bits, turned.bits_trimmed)
    assert min(hamming(look.bits, stored["rocket.jpg"].bits) for look in found) <= 30
    assert {len(look.terms) for look in found} == {16}


# -- batches and bad input ---------------------------------------------------------------------------------


def test_a_batch_keeps_its_order_and_survives_its_bad_images():
    datas = [encoded(photograph(name)) for name in NAMES[:3]]
    found = describe_many([datas[0], b"", datas[1], b"text", datas[2]])

    assert isinstance(found[1], EmptyImage) and isinstance(found[3], NotAnImage)
    for described, data in zip([found[0], found[2], found[4]], datas, strict=True):
        assert isinstance(described, Description)
        alone = describe(data)
        assert described.sha256 == alone.sha256
        np.testing.assert_array_equal(described.bits, alone.bits)
    assert [type(one) for one in describe_many([b"", b"text"])] == [EmptyImage, NotAnImage]
    assert describe_many([]) == []


def test_the_seconds_of_each_stage_are_told():
    class Zeros(Model):
        name = identity = preprocess = "zeros"
        dims = 2

        def prepare(self, picture):
            return np.zeros(1)

        def _compute(self, prepared):
            return np.zeros((len(prepared), 2), np.float32)

    hashed, described = Timings(), Timings()
    images = [encoded(photograph(name)) for name in NAMES[:2]]
    describe_many(images, timings=hashed)
    assert hashed.decode > 0
    assert hashed.hash > 0
    assert hashed.model == 0
    describe_many([*images, b"broken"], model=Zeros(ModelOptions()), timings=described)
    assert described.model > 0
    before = described.describe
    described.add(hashed)
    assert described.describe == pytest.approx(before + hashed.decode + hashed.hash)


def survives(data: bytes) -> None:
    try:
        description = describe(data)
    except ImageError as error:
        assert str(error)
    else:
        assert description.bits.shape == (32,)


SMALL = photograph(longest=48)
SEEDS = [
    encoded(SMALL, "JPEG"),
    encoded(SMALL, "JPEG", progressive=True),
    encoded(SMALL.convert("CMYK"), "JPEG"),
    encoded(SMALL, "PNG"),
    encoded(SMALL.quantize(16), "PNG"),
    encoded(SMALL, "GIF", save_all=True, append_images=[SMALL.rotate(90)]),
    encoded(SMALL, "WEBP"),
    encoded(SMALL, "TIFF", compression="tiff_lzw"),
    encoded(SMALL, "TIFF", compression="jpeg"),
    encoded(SMALL, "BMP"),
    encoded(SMALL, "AVIF"),
    encoded(SMALL, "JPEG2000"),
    encoded(SMALL, "QOI"),
    encoded(SMALL, "PPM"),
    encoded(SMALL.resize((48, 48)), "ICO"),
]


@given(st.binary(max_size=400))
def test_any_bytes_are_survived(data):
    survives(data)


@given(st.sampled_from(SEEDS), st.binary(max_size=200))
def test_any_bytes_behind_a_true_beginning_are_survived(seed, tail):
    survives(seed[:24] + tail)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.sampled_from(SEEDS),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=6),
    st.none() | st.integers(0, 10_000),
)
def test_damaged_images_are_survived(seed, changes, cut):
    damaged = bytearray(seed)
    for position, change in changes:
        damaged[position % len(damaged)] ^= change
    survives(bytes(damaged if cut is None else damaged[: cut % len(damaged)]))


def test_threads_decode_without_warnings_and_leave_the_filters_alone():
    before = list(warnings.filters)
    bad_tiff = encoded(SMALL, "TIFF")[:-40]
    datas = [*SEEDS, bad_tiff] * 4
    threads = [threading.Thread(target=describe_many, args=(datas,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


def test_describing_needs_numpy_and_pillow_alone():
    code = "import sys, facsimile.imaging.describe; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"scipy", "skimage", "elasticsearch", "httpx", "sqlite3"} & set(run.stdout.split())
