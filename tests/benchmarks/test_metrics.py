"""The figures of the benchmark, against examples worked by hand and the definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.accuracy.metrics import Figures, curve, intervals, outcome
from facsimile.search.evaluation.metrics import Ranked

# two originals (columns 0 and 1) and a distractor; two edits each; two negatives, the second from a burst
QUERIES = np.array([[0.9, 0.1, 0.2], [0.6, 0.7, 0.1], [0.1, 0.8, 0.8], [0.0, 0.5, 0.4]], np.float32)
NEGATIVES = np.array([[0.1, 0.2, 0.4], [0.1, 0.65, 0.3]], np.float32)
PLAIN = np.array([True, False])


def test_figures_of_a_small_contest():
    seen = outcome(QUERIES, NEGATIVES, 2, PLAIN)
    assert seen.rank.tolist() == [[1, 2], [2, 1]]  # a tie counts against the original
    figures = Figures.of(seen)
    assert figures.recall_at_1 == 0.5
    assert figures.recall_at_100 == 1
    assert figures.recall_at_0_false_plain == 0.5  # 0.9 and 0.5 are over 0.4
    assert figures.recall_at_0_false == 0.25  # 0.65 of the burst is over 0.5
    # falling scores: 0.9 right, 0.8 wrong, 0.7 wrong, 0.65 negative, 0.5 right
    assert figures.uap == pytest.approx((1 / 1 + 2 / 5) / 4)


def test_equal_scores_are_one_step_in_any_order():
    scores, ones = np.array([0.5, 0.5, 0.5]), np.ones(3, np.int64)
    first = Ranked(scores, np.array([True, False, True])).average_precision(ones, 2)
    last = Ranked(scores, np.array([False, True, True])).average_precision(ones, 2)
    assert first == last == pytest.approx(2 / 3)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 3)), min_size=1, max_size=20))
def test_a_weight_is_as_good_as_repeating(rows):
    rows = [(0, False, 1), *rows]
    scores = np.array([score / 10 for score, _, _ in rows])
    right, weights = np.array([right for _, right, _ in rows]), np.array([weight for *_, weight in rows])
    repeated = Ranked(np.repeat(scores, weights), np.repeat(right, weights))
    expected = repeated.average_precision(np.ones(weights.sum(), np.int64), 20)
    assert Ranked(scores, right).average_precision(weights, 20) == pytest.approx(expected)


def test_intervals_hold_the_figure_and_are_reproducible():
    rng = np.random.default_rng(5)
    queries = rng.random((80, 30), np.float32)
    queries[np.arange(80), np.repeat(np.arange(20), 4)] += 0.6
    seen = outcome(queries, rng.random((40, 30), np.float32), 20, np.ones(40, bool))
    found = intervals(seen, resamples=200)
    low, high = found["recall_at_1"]
    assert low < Figures.of(seen).recall_at_1 < high
    assert found == intervals(seen, resamples=200)


def test_the_curve_ends_at_the_recall_of_accepting_everything():
    seen = outcome(QUERIES, NEGATIVES, 2, PLAIN)
    recall, precision = curve(seen)
    assert recall[-1] == 0.5
    assert precision[0] == 1
    assert precision[-1] == pytest.approx(2 / 5)
