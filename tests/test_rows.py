"""Rows that are solved when they are read."""

import pickle

import numpy as np
import pytest

from skautorec._core import rows as rows_module
from skautorec._core.rows import Rows
from skautorec._core.scores import Embeddings


class Solver:
    """Solves row i of a round as i + 100 times the round, and says which it was asked for."""

    def __init__(self):
        self.round, self.asked = 0, []

    def __call__(self, rows):
        self.asked.append(rows.tolist())
        values = rows + 100.0 * self.round
        return Embeddings(np.stack((values, -values), axis=1), 2.0 * values)


def table(n):
    values = np.arange(float(n))
    return Embeddings(np.stack((values, -values), axis=1), 2 * values)


def mask(n, *rows):
    is_stale = np.zeros(n, dtype=bool)
    is_stale[list(rows)] = True
    return is_stale


def values(embeddings):
    np.testing.assert_array_equal(embeddings.factors[:, 1], -embeddings.factors[:, 0])
    np.testing.assert_array_equal(embeddings.bias, 2 * embeddings.factors[:, 0])
    return embeddings.factors[:, 0].tolist()


@pytest.fixture
def solve():
    return Solver()


def test_what_is_solved_is_not_solved_again(solve):
    rows = Rows(table(5))
    assert values(rows.take(np.array([3, 1, 3]), solve)) == [3, 1, 3]
    assert rows.whole(solve) is rows.whole(solve) and not solve.asked


def test_stale_rows_are_solved_once_when_they_are_read(solve):
    solve.round = 1
    rows = Rows(table(5)).marked(mask(5, 1, 3))
    assert rows.n_stale == 2
    assert values(rows.take(np.array([0, 3, 3, 2]), solve)) == [0, 103, 103, 2]
    assert values(rows.take(np.array([3, 4]), solve)) == [103, 4]
    assert solve.asked == [[3]] and rows.n_stale == 1
    assert values(rows.whole(solve)) == [0, 101, 2, 103, 4]
    assert solve.asked == [[3], [1]] and rows.n_stale == 0
    assert values(rows.take(np.array([1]), solve)) == [101] and len(solve.asked) == 2


def test_new_rows_are_stale(solve):
    solve.round = 1
    rows = Rows(table(3)).marked(mask(5, 1))
    assert len(rows) == 5 and rows.n_stale == 3
    last = rows.last(np.array([0, 1, 4, 7]))
    assert last.bias[:2].tolist() == [0, 2] and np.isnan(last.bias[2:]).all()
    assert np.isnan(last.factors[2:]).all()
    assert values(rows.take(np.array([4]), solve)) == [104]
    assert values(rows.last(np.array([4]))) == [104]
    assert values(rows.whole(solve)) == [0, 101, 2, 103, 104]


@pytest.mark.parametrize("most", [0, 256])
def test_marking_leaves_what_was_and_keeps_what_was_solved(solve, most, monkeypatch):
    monkeypatch.setattr(rows_module, "_MANY", most)
    solve.round = 1
    first = Rows(table(4)).marked(mask(6, 0, 1, 2))
    first.take(np.array([0, 1, 4]), solve)
    solve.round = 2
    second = first.marked(mask(7, 1))
    assert values(second.take(np.array([0, 1, 4]), solve)) == [100, 201, 104]
    assert solve.asked == [[0, 1, 4], [1]]
    # Row 2 was stale before, 5 and 6 are new.
    assert values(second.whole(solve)) == [100, 201, 202, 3, 104, 205, 206]
    solve.round = 1
    assert values(first.whole(solve)) == [100, 101, 102, 3, 104, 105]


def test_some_rows_are_a_part_only_where_others_are_stale(solve):
    rows = Rows(table(6))
    found, where = rows.some(np.array([4, 2, 4]), solve)
    assert found is rows.whole(solve) and where.tolist() == [4, 2, 4]
    solve.round = 1
    rows = rows.marked(mask(6, 0, 2))
    found, where = rows.some(np.array([4, 2, 4]), solve)
    assert len(found) == 2 and values(found[where]) == [4, 102, 4]
    assert solve.asked == [[2]]
    assert len(rows.some(np.array([4, 2, 4, 1, 1, 1]), solve)[0]) == 6


def test_rows_are_pickled_with_what_was_solved(solve):
    rows = Rows(table(4)).marked(mask(5, 0, 1))
    solve.round = 1
    rows.take(np.array([1]), solve)
    copy = pickle.loads(pickle.dumps(rows))
    rows.take(np.array([0]), solve)
    assert copy.n_stale == 2 and values(copy.take(np.array([1, 3]), solve)) == [101, 3]
    assert len(solve.asked) == 2


def test_rows_take_in_what_solving_all_gives(solve):
    rows = Rows(table(4)).marked(mask(5, 0, 1))
    solve.round = 3
    rows.fill(solve(np.arange(5)))
    assert rows.n_stale == 0 and values(rows.take(np.array([2, 4]), solve)) == [302, 304]
