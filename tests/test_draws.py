"""Random draws belong to what is drawn for, not to how the work is cut."""

import numpy as np
import pytest
import scipy.sparse
import torch

from skautorec._core.draws import Draws
from skautorec._core.fit import _Split
from skautorec._core.matrix import Table
from skautorec._core.sparse import Pattern


def of_cells(draws, rows, columns):
    return draws.of_cells(
        draws.into("encoded").of_positions(torch.tensor(rows)),
        draws.into("decoded").of_positions(torch.tensor(columns)),
    ).numpy()


def grid(n_rows, n_columns):
    return np.divmod(np.arange(n_rows * n_columns), n_columns)


def test_a_cell_has_its_draw_in_any_batch():
    rows, columns = grid(60, 50)
    every = of_cells(Draws(3), rows, columns)
    order = np.random.default_rng(0).permutation(3000)
    for part in np.array_split(order, 7):
        np.testing.assert_array_equal(of_cells(Draws(3), rows[part], columns[part]), every[part])


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**40 + 1])
def test_draws_of_cells_are_uniform_and_independent(seed):
    rows, columns = grid(400, 300)
    uniform = of_cells(Draws(seed), rows, columns)
    assert uniform.min() >= 0 and uniform.max() < 1
    counts = np.histogram(uniform, 50, (0, 1))[0]
    assert np.square(counts - 2400).sum() / 2400 < 100  # chi-square of 49 degrees of freedom
    table = uniform.reshape(400, 300)
    # No row or column has more or less than its share; nor are neighbours alike.
    deviations = [
        (table.mean(axis=axis) - 0.5) * np.sqrt(12 * n) for axis, n in ((0, 400), (1, 300))
    ]
    assert all(0.8 < values.std() < 1.2 for values in deviations)
    assert abs(np.corrcoef(table[:-1].ravel(), table[1:].ravel())[0, 1]) < 0.015
    assert abs(np.corrcoef(table[:, :-1].ravel(), table[:, 1:].ravel())[0, 1]) < 0.015
    # Two rows and two columns: the hash of a sum of hashes is no sum.
    signs = np.sign(table - 0.5)
    four = signs[::2, ::2] * signs[1::2, ::2] * signs[::2, 1::2] * signs[1::2, 1::2]
    assert abs(four.mean()) < 4 / np.sqrt(four.size)


def test_seeds_and_purposes_have_draws_of_their_own():
    rows, columns = grid(40, 40)
    sources = [
        *(Draws(seed) for seed in (0, 1, 2, 2**32, 2**32 + 1)),
        *(Draws(0).into(*keys) for keys in (("a",), ("b",), ("a", 0), ("a", 1), (0,), (1,))),
    ]
    draws = np.array([of_cells(source, rows, columns) for source in sources])
    correlations = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlations).max() < 0.12
    np.testing.assert_array_equal(of_cells(Draws(0).into("a"), rows, columns), draws[5])


def test_an_order_is_a_permutation_and_every_place_equally_likely():
    orders = np.array([Draws(seed).order(7) for seed in range(3500)])
    assert (np.sort(orders, axis=1) == np.arange(7)).all()
    counts = np.array([np.bincount(places, minlength=7) for places in orders.T])
    assert np.abs(counts - 500).max() < 5 * np.sqrt(500)


def test_weights_of_a_row_do_not_depend_on_the_rows_after_it():
    draws = Draws(5)
    every = draws.normal(1000, 6)
    for n in (1, 256, 257, 999):
        assert torch.equal(draws.normal(n, 6), every[:n])
    assert torch.unique(every).numel() > 5900
    assert abs(float(every.mean())) < 0.06 and abs(float(every.std()) - 1) < 0.04
    assert float(every.abs().max()) > 3


def random_table(n_users, n_items, density=0.4, seed=0):
    rng = np.random.default_rng(seed)
    R = rng.integers(1, 6, (n_users, n_items)) * (rng.random((n_users, n_items)) < density)
    return scipy.sparse.csr_array(R.astype(float))


@pytest.mark.parametrize("fraction", [0.05, 0.3])
def test_users_and_items_that_are_added_change_nobody_elses_hold_out(fraction):
    few, many = random_table(300, 100), random_table(300, 100)
    more = scipy.sparse.vstack((many, random_table(30, 100, seed=1)), format="csr")
    wider = scipy.sparse.hstack((few, random_table(300, 20, seed=2)), format="csr")
    halves = [
        _Split(lambda R=R: Table(R, None), fraction, Draws(0)).halves() for R in (few, more, wider)
    ]
    kept, heldout = halves[0][0], halves[0][1].targets
    assert heldout.nnz / few.nnz == pytest.approx(fraction, abs=0.01)
    assert kept.inputs.nnz + heldout.nnz == few.nnz
    taller, wider = halves[1][1].targets, halves[2][1].targets
    np.testing.assert_array_equal(taller[:300].toarray(), heldout.toarray())
    np.testing.assert_array_equal(wider[:, :100].toarray(), heldout.toarray())


@pytest.mark.parametrize(("n_ratings", "expected"), [(1000, 0.2), (10_000, 0.1), (100_000, 0.05)])
def test_a_twentieth_is_held_out_and_more_in_small_sets(n_ratings, expected):
    R = random_table(n_ratings // 100, 200, 0.5)
    _, heldout = _Split(lambda: Table(R, None), None, Draws(0)).halves()
    assert heldout.targets.nnz / R.nnz == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_split_pattern_is_two_patterns(share):
    cells = random_table(20, 15)
    pattern = Pattern.from_csr(cells.indptr, cells.indices, cells.shape)
    chosen = torch.tensor(np.random.default_rng(1).random(cells.nnz) < share)
    parts = pattern.split(chosen)
    for (part, positions), mask in zip(parts, (chosen, ~chosen), strict=True):
        assert torch.equal(positions, mask.nonzero()[:, 0])
        rows = np.repeat(np.arange(20), np.diff(cells.indptr))[mask]
        expected = scipy.sparse.coo_array(
            (np.ones(len(rows)), (rows, cells.indices[mask])), shape=cells.shape
        ).tocsr()
        other = Pattern.from_csr(expected.indptr, expected.indices, expected.shape)
        for name in ("indptr", "indices", "t_indptr", "t_indices", "order"):
            assert torch.equal(getattr(part, name), getattr(other, name)), name


def test_hashes_of_tensors_are_murmurs_finisher():
    def mixed(number):
        number &= 2**32 - 1
        number = (number ^ number >> 16) * 0x85EBCA6B & 2**32 - 1
        number = (number ^ number >> 13) * 0xC2B2AE35 & 2**32 - 1
        return number ^ number >> 16

    draws = Draws(3)
    hashes = draws.of_positions(torch.arange(1000)).numpy().astype(np.uint32)
    expected = [mixed(position * 0x9E3779B9 + draws.key) for position in range(1000)]
    np.testing.assert_array_equal(hashes, expected)
