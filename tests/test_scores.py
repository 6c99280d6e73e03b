"""Scores and top-N lists against a dense product."""

import numpy as np
import pytest
import scipy.sparse

from skautorec._core import lists
from skautorec._core import scores as scores_module
from skautorec._core.scores import Embeddings, Scores


@pytest.fixture
def model():
    rng = np.random.default_rng(0)
    rows = Embeddings(rng.normal(size=(30, 4)), rng.normal(size=30))
    return Scores(rows, Embeddings(rng.normal(size=(50, 4)), rng.normal(size=50)))


def dense(model):
    return (
        model.rows.factors @ model.columns.factors.T + model.rows.bias[:, None] + model.columns.bias
    )


def hidden_cells(seed=1, density=0.5):
    rng = np.random.default_rng(seed)
    return scipy.sparse.csr_array(rng.random((30, 50)) < density)


@pytest.mark.parametrize("n_pairs", [0, 10, 1000, 3000])  # many come twice
def test_pairs_and_blocks_are_the_product(n_pairs, model):
    rows, columns = np.random.default_rng(2).integers(0, 30, (2, n_pairs))
    np.testing.assert_allclose(model.at(rows, columns), dense(model)[rows, columns])
    np.testing.assert_allclose(model.block(), dense(model))
    np.testing.assert_allclose(model.take(slice(3, 5)).block(), dense(model)[3:5])


@pytest.mark.parametrize("n", [1, 7, 50, 80])
@pytest.mark.parametrize("chunk", [1, 10**6])
def test_top_is_a_full_sort_without_hidden_cells(model, n, chunk, monkeypatch):
    monkeypatch.setattr(lists, "_CHUNK", chunk)
    hidden = hidden_cells()
    scores = np.where(hidden.toarray(), -np.inf, dense(model))
    columns, listed = model.top(n, hidden)
    assert columns.shape == listed.shape == (30, min(n, 50))
    for row in range(30):
        expected = np.argsort(-scores[row])[: min(n, int(np.isfinite(scores[row]).sum()))]
        np.testing.assert_array_equal(columns[row, : len(expected)], expected)
        np.testing.assert_allclose(listed[row, : len(expected)], scores[row, expected], rtol=1e-6)
        assert np.isnan(listed[row, len(expected) :]).all()


def test_ties_go_by_position_whatever_the_batch():
    rows = Embeddings(np.ones((20, 3)) / 3, np.zeros(20))
    columns = Embeddings(
        np.repeat([[0.1], [0.7], [0.1]], [40, 2, 40], axis=0) * np.ones(3), np.zeros(82)
    )
    every, _ = Scores(rows, columns).top(5)
    one, _ = Scores(rows[:1], columns).top(5)
    np.testing.assert_array_equal(one, [[40, 41, 0, 1, 2]])
    np.testing.assert_array_equal(every, np.repeat(one, 20, axis=0))


def test_screening_allows_for_the_length_of_rows():
    # Scores that a product in single precision confuses, for rows as long as these.
    rng = np.random.default_rng(0)
    columns = Embeddings(1 + 1e-7 * rng.normal(size=(2000, 3)), np.zeros(2000))
    model = Scores(Embeddings(100 * rng.normal(size=(200, 3)), np.zeros(200)), columns)
    every = model.top(10)
    apart = [Scores(model.rows[[row]], columns).top(10) for row in range(200)]
    for together, alone in zip(every, zip(*apart, strict=True), strict=True):
        np.testing.assert_array_equal(together, np.vstack(alone))


@pytest.mark.parametrize("copies", [1, 40])  # ties across the edge of a list
@pytest.mark.parametrize("density", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("scale", [1.0, 1e-5])  # so near that single precision cannot tell
def test_screened_lists_are_the_exact_ones(scale, density, copies, monkeypatch):
    rng = np.random.default_rng(0)
    columns = np.tile(scale * rng.normal(size=(2000 // copies, 3)), (copies, 1))
    rows = Embeddings(rng.normal(size=(200, 3)), rng.normal(size=200))
    model = Scores(rows, Embeddings(columns, np.full(2000, 3.0)))
    hidden = scipy.sparse.csr_array(rng.random((200, 2000)) < density)
    screened = model.top(10, hidden)
    monkeypatch.setattr(Scores, "screened_from", 201)
    exact = model.top(10, hidden)
    np.testing.assert_array_equal(screened[1], exact[1])
    listed = ~np.isnan(exact[1])
    np.testing.assert_array_equal(screened[0][listed], exact[0][listed])


@pytest.mark.parametrize("n_rows", [1, 80])  # exact, and screened
def test_a_level_that_all_columns_share_changes_no_order(n_rows):
    rng = np.random.default_rng(0)
    rows = Embeddings(rng.normal(size=(n_rows, 4)), rng.normal(size=n_rows))
    columns = Embeddings(rng.normal(size=(2000, 4)), rng.normal(size=2000))
    best, scores = Scores(rows, columns).top(5)
    far = Scores(rows, Embeddings(columns.factors, columns.bias + 1e9))
    far_best, far_scores = far.top(5)
    np.testing.assert_array_equal(far_best, best)
    np.testing.assert_allclose(far_scores - 1e9, scores, atol=1e-6)


def test_read_only_memory_is_read_without_a_warning_or_a_copy(recwarn):
    array = np.arange(6.0)
    array.setflags(write=False)
    tensor = scores_module.shared_tensor(array)
    assert tensor.data_ptr() == array.ctypes.data and tensor.tolist() == array.tolist()
    assert not recwarn
