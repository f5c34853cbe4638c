"""Hash, orientations, bands and distances: what they promise as mathematics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from facsimile.imaging.bands import neighbours, probed, terms
from facsimile.imaging.decode import decode
from facsimile.imaging.distance import cosine, hamming
from facsimile.imaging.orientation import ORIENTATIONS, inverse, orient, orient_bits, orient_spectrum
from facsimile.imaging.phash import bits_of, spectrum
from facsimile.imaging.record import rounded
from tests.support.pictures import NAMES, encoded, photograph

hashes = st.binary(min_size=32, max_size=32).map(lambda raw: np.frombuffer(raw, np.uint8).copy())
lumas = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(0, 256, (64, 64)).astype(np.float32)
)
orientations = st.sampled_from(ORIENTATIONS)


def flipped(bits, positions):
    """The hash with these of its 256 bits changed."""
    unpacked = np.unpackbits(bits)
    unpacked[list(positions)] ^= 1
    return np.packbits(unpacked)


# -- the spectrum ------------------------------------------------------------------------------------------


@given(lumas)
def test_the_spectrum_is_the_orthonormal_dct(luma):
    n = np.arange(64)
    basis = np.sqrt(2 / 64) * np.cos(np.pi * np.outer(n, 2 * n + 1) / 128)
    basis[0] = np.sqrt(1 / 64)
    whole = basis @ luma @ basis.T
    np.testing.assert_allclose(np.sum(whole**2), np.sum(luma.astype(float) ** 2), rtol=1e-6)
    np.testing.assert_allclose(spectrum(luma[None])[0], whole[:16, :16], atol=0.05)


def test_a_batch_gives_what_each_gives_alone():
    batch = np.random.default_rng(1).integers(0, 256, (7, 64, 64), dtype=np.uint8)
    together = spectrum(batch)
    for i in range(7):
        np.testing.assert_array_equal(together[i], spectrum(batch[i : i + 1])[0])


@given(lumas)
def test_half_of_the_bits_are_set_and_in_reading_order(luma):
    block = spectrum(luma[None])[0]
    bits = np.unpackbits(bits_of(block))
    assert bits.sum() == 128
    assert (bits == (block > np.median(block)).ravel()).all()


# -- orientations ------------------------------------------------------------------------------------------


def test_turning_by_90_is_clockwise():
    assert orient(np.array([[1, 2], [3, 4]]), "turn-90").tolist() == [[3, 1], [4, 2]]
    assert orient(np.array([[1, 2], [3, 4]]), "flip-horizontal").tolist() == [[2, 1], [4, 3]]
    assert orient(np.array([[1, 2], [3, 4]]), "transpose").tolist() == [[1, 3], [2, 4]]


@given(orientations)
def test_the_inverse_undoes(orientation):
    picture = np.arange(60).reshape(4, 5, 3)
    there = orient(picture, orientation)
    np.testing.assert_array_equal(orient(there, inverse(orientation)), picture)


def test_the_eight_are_different():
    picture = np.arange(20).reshape(4, 5)
    assert len({(orient(picture, o).shape, orient(picture, o).tobytes()) for o in ORIENTATIONS}) == 8


@given(lumas, orientations)
def test_an_oriented_spectrum_is_the_spectrum_of_the_oriented_picture(luma, orientation):
    oriented = spectrum(np.ascontiguousarray(orient(luma, orientation))[None])[0]
    np.testing.assert_allclose(orient_spectrum(spectrum(luma[None])[0], orientation), oriented, atol=0.05)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("name", NAMES)
def test_one_spectrum_gives_the_hashes_of_all_oriented_photographs(name, orientation):
    picture = decode(encoded(photograph(name)))
    turned = decode(encoded(Image.fromarray(np.ascontiguousarray(orient(picture.rgb, orientation)))))
    block = spectrum(picture.luma_square()[None])[0]
    truth = bits_of(spectrum(turned.luma_square()[None])[0])

    assert hamming(bits_of(orient_spectrum(block, orientation)), truth) <= 8
    assert hamming(orient_bits(bits_of(block), orientation), truth) <= 24


@given(hashes, orientations)
def test_orienting_a_stored_hash_there_and_back_changes_nothing(bits, orientation):
    back = orient_bits(orient_bits(bits, orientation), inverse(orientation))
    np.testing.assert_array_equal(back, bits)


# -- distances ---------------------------------------------------------------------------------------------


@given(hashes, st.sets(st.integers(0, 255)))
def test_hamming_counts_the_differing_bits(bits, positions):
    assert hamming(bits, flipped(bits, positions)) == len(positions)


def test_hamming_broadcasts():
    a, b = np.random.default_rng(2).integers(0, 256, (2, 5, 32), dtype=np.uint8)
    table = hamming(a[:, None], b[None])
    assert table.shape == (5, 5)
    assert table[3, 1] == hamming(a[3], b[1])


def test_cosine_of_unit_vectors():
    a = np.array([[1, 0], [0.6, 0.8]], np.float32)
    np.testing.assert_allclose(cosine(a, np.array([1, 0], np.float32)), [1, 0.6], atol=1e-6)


def test_cosine_of_vectors_that_were_rounded():
    a = np.random.default_rng(1).normal(size=256).astype(np.float32)
    a /= np.linalg.norm(a)
    kept = rounded(a)
    assert kept is not None
    assert cosine(a, kept) > 0.99999
    assert cosine(a, np.zeros_like(a)) == 0


# -- bands -------------------------------------------------------------------------------------------------


def test_terms_are_positions_and_values():
    bits = np.zeros(32, np.uint8)
    bits[2:4] = 0xAB, 0x0F
    assert terms(bits)[:3] == ("00000", "1ab0f", "20000")
    assert terms(bits)[15] == "f0000"


@given(hashes, st.sets(st.integers(0, 255), max_size=31))
def test_within_distance_31_neighbours_share_a_term(bits, positions):
    assert set(neighbours(bits)) & set(terms(flipped(bits, positions)))


@given(hashes, st.lists(st.sets(st.integers(0, 15), min_size=2, max_size=2), min_size=16, max_size=16))
def test_at_distance_32_they_need_not(bits, two_in_each_band):
    positions = [16 * band + bit for band, pair in enumerate(two_in_each_band) for bit in pair]
    other = flipped(bits, positions)
    assert hamming(bits, other) == 32
    assert not set(neighbours(bits)) & set(terms(other))


@given(lumas, st.integers(0, 3))
def test_probes_vary_the_bits_nearest_the_median(luma, probes):
    block = spectrum(luma[None])[0]
    bits = bits_of(block)
    (asked,) = probed(block[None], probes)
    assert len(set(asked)) == 16 * 2**probes
    assert set(terms(bits)) <= set(asked)

    doubt = np.abs(block - np.median(block))
    doubtful = [
        16 * row + int(bit) for row in range(16) for bit in np.argsort(doubt[row], kind="stable")[:probes]
    ]
    assert set(terms(flipped(bits, doubtful))) <= set(asked)


def test_neighbours_are_272():
    assert len(set(neighbours(np.arange(32, dtype=np.uint8)))) == 272


@pytest.mark.parametrize("probes", [0, 1, 2, 3])
def test_probes_ask_for_every_combination_of_the_doubtful_bits_and_no_more(probes):
    block = spectrum(np.random.default_rng(3).integers(0, 256, (1, 64, 64), dtype=np.uint8))[0]
    (asked,) = probed(block[None], probes)
    assert len(set(asked)) == len(asked) == 16 * 2**probes
    own = {term[0]: int(term[1:], 16) for term in terms(bits_of(block))}
    assert all((int(term[1:], 16) ^ own[term[0]]).bit_count() <= probes for term in asked)
