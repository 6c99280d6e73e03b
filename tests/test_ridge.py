"""Decoded rows in closed form against their definition."""

from functools import partial

import numpy as np
import pytest
import torch

from skautorec._core import ridge
from skautorec._core.ridge import Prior, bias_penalty, groups


class Shared:
    """Codes of encoded rows that all of their cells have."""

    def __init__(self, codes, indices):
        self.codes, self.indices = codes, indices

    @property
    def width(self):
        return self.codes.shape[1]

    def take(self, rows, cells):
        codes = self.codes[self.indices[cells.clamp(min=0)]]
        return codes.masked_fill((cells < 0)[..., None], 0.0)


def solve_rows(indptr, indices, values, codes, prior):
    solved = ridge.solve_rows(indptr, values, Shared(codes, indices), prior)
    return solved.weights, solved.biases


def problem(n_rows=40, n_encoded=60, k=8, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 30, n_rows)
    lengths[:3] = 0, 1, 60
    indices = np.concatenate([rng.permutation(n_encoded)[:n] for n in lengths])
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    codes = rng.normal(size=(n_encoded, k))
    values = rng.normal(3, 1, len(indices))
    return tuple(torch.tensor(a) for a in (indptr, indices, values, codes))


def prior_of(k, penalty, beta, zero=False, seed=1):
    w0 = np.zeros(k) if zero else np.random.default_rng(seed).normal(size=k)
    return Prior(torch.tensor(w0), 0.0 if zero else 2.5, penalty, beta)


@pytest.mark.parametrize("k", [4, 8, 25])
@pytest.mark.parametrize("beta", [0.0, 3.0])
@pytest.mark.parametrize("size", [1.0, 1e-10])  # of the codes: products of the latter underflow
def test_normal_equations_hold(k, beta, size):
    indptr, indices, values, codes = problem(k=k)
    codes *= size
    prior = prior_of(k, 2.0, beta)
    weights, biases = solve_rows(indptr, indices, values, codes, prior)
    for row in range(len(indptr) - 1):
        cells = slice(indptr[row], indptr[row + 1])
        z, r = codes[indices[cells]], values[cells]
        w, b = weights[row], biases[row]
        e = r - z @ w - b
        assert (prior.penalty * (w - prior.weight) - z.T @ e).abs().max() < 1e-6
        assert abs(float(beta * (b - prior.bias) - e.sum())) < 1e-6


@pytest.mark.parametrize("k", [4, 25])
def test_without_priors_a_row_minimises_equation_2(k):
    lambd = 3.0
    indptr, indices, values, codes = problem(k=k)
    weights, biases = solve_rows(indptr, indices, values, codes, prior_of(k, lambd / 2, 0.0, True))

    def objective(row, w, b):
        cells = slice(indptr[row], indptr[row + 1])
        e = values[cells] - codes[indices[cells]] @ w - b
        return float((e**2).sum() + lambd / 2 * (w**2).sum())

    rng = torch.Generator().manual_seed(0)
    for row in range(1, len(indptr) - 1):
        best = objective(row, weights[row], biases[row])
        for size in (1e-3, 1e-1):
            step = size * torch.randn(k + 1, generator=rng, dtype=torch.float64)
            assert objective(row, weights[row] + step[:k], biases[row] + step[k]) >= best


def test_a_row_without_cells_gets_the_prior():
    indptr, indices, values, codes = problem()
    prior = prior_of(8, 2.0, 3.0)
    weights, biases = solve_rows(indptr, indices, values, codes, prior)
    assert torch.equal(weights[0], prior.weight)
    assert biases[0] == prior.bias


def test_strong_penalties_give_the_prior_and_weak_ones_interpolate():
    indptr, indices, values, codes = problem(k=25)
    weights, biases = solve_rows(indptr, indices, values, codes, prior_of(25, 1e12, 1e12))
    torch.testing.assert_close(weights[5], prior_of(25, 1, 1).weight)
    assert float(biases[5]) == pytest.approx(2.5)
    weights, biases = solve_rows(indptr, indices, values, codes, prior_of(25, 1e-9, 0.0))
    cells = slice(indptr[1], indptr[2])
    torch.testing.assert_close(codes[indices[cells]] @ weights[1] + biases[1], values[cells])


def test_what_is_left_over_is_what_the_rows_do_not_explain():
    indptr, indices, values, codes = problem()
    solved = ridge.solve_rows(indptr, values, Shared(codes, indices), prior_of(8, 2.0, 3.0))
    rows = torch.repeat_interleave(torch.arange(40), indptr.diff())
    explained = (codes[indices] * solved.weights[rows]).sum(dim=1) + solved.biases[rows]
    torch.testing.assert_close(solved.left_over, values - explained)


def test_one_factorisation_serves_all_penalties_of_biases():
    indptr, indices, values, codes = problem()
    prior = prior_of(8, 2.0, 3.0)
    shared = Shared(codes, indices)
    for rows, cells in groups(indptr, 8):
        system = ridge.make_system(shared, rows, cells, values, prior)
        weights, shifts = system.solve(0.7, [0.1, 30.0])
        for strength, weight, shift in zip([0.1, 30.0], weights, shifts, strict=True):
            other = Prior(prior.weight, prior.bias, 0.7, strength)
            expected = solve_rows(indptr, indices, values, codes, other)
            torch.testing.assert_close(weight + prior.weight, expected[0][rows], atol=1e-7, rtol=0)
            torch.testing.assert_close(shift + prior.bias, expected[1][rows], atol=1e-7, rtol=0)


def test_groups_hold_every_row_with_cells_once_in_bounded_memory(monkeypatch):
    monkeypatch.setattr(ridge, "_CHUNK", 2000)
    indptr = problem()[0]
    chosen = torch.arange(40) % 3 > 0
    seen = []
    for rows, cells in groups(indptr, 8, chosen):
        seen += rows.tolist()
        assert len(rows) == 1 or cells.numel() * max(8, cells.shape[1]) <= 2000
        for row, positions in zip(rows, cells, strict=True):
            expected = torch.arange(int(indptr[row]), int(indptr[row + 1]))
            assert torch.equal(positions[positions >= 0], expected)
    assert sorted(seen) == [
        row for row in range(1, 40) if row % 3 and indptr[row + 1] > indptr[row]
    ]


def test_batching_changes_nothing(monkeypatch):
    arguments = problem()
    prior = prior_of(8, 2.0, 3.0)
    together = solve_rows(*arguments, prior)
    monkeypatch.setattr(ridge, "_CHUNK", 1)
    alone = solve_rows(*arguments, prior)
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("k", [4, 25])
def test_rows_too_long_for_the_memory_are_cut_and_change_nothing(monkeypatch, k):
    indptr, indices, values, codes = problem(k=k)
    shared, prior = Shared(codes, indices), prior_of(k, 2.0, 3.0)
    at_indptr, at_indices = torch.arange(41) * 5, torch.arange(200) % 60
    variances = partial(
        ridge.relative_variances, indptr, shared, prior, at_indptr, at_indices, codes
    )
    whole, of_whole = ridge.solve_rows(indptr, values, shared, prior), variances()
    taken = []
    monkeypatch.setattr(ridge, "_CHUNK", 1)  # rows alone
    monkeypatch.setattr(ridge, "_LONG", 7 * k)
    take = shared.take
    shared.take = lambda rows, cells: taken.append(cells.numel()) or take(rows, cells)
    cut = ridge.solve_rows(indptr, values, shared, prior)
    assert int(indptr.diff().max()) > 7 >= max(taken)
    for name in ("weights", "biases", "left_over"):
        torch.testing.assert_close(getattr(cut, name), getattr(whole, name), rtol=0, atol=1e-9)
    torch.testing.assert_close(variances(), of_whole, rtol=0, atol=1e-9)
    assert max(taken) <= 7


@pytest.mark.parametrize("k", [4, 25])  # through units and through cells
@pytest.mark.parametrize("long", [7, 10**6])
def test_contributions_of_ratings_sum_to_what_a_row_adds_to_the_prior(monkeypatch, k, long):
    monkeypatch.setattr(ridge, "_LONG", long * k)
    if long == 7:
        monkeypatch.setattr(ridge, "_CHUNK", 1)  # rows alone
    indptr, indices, values, codes = problem(k=k)
    prior, shared = prior_of(k, 2.0, 3.0), Shared(codes, indices)
    added = ridge.contributions(indptr, values, shared, prior, codes[5])
    features = torch.cat((codes, torch.ones(60, 1)), dim=1)
    penalties = torch.tensor([2.0] * k + [3.0]).double().diag()
    left_over = values - codes[indices] @ prior.weight - prior.bias
    solved = ridge.solve_rows(indptr, values, shared, prior)
    for row in range(len(indptr) - 1):
        cells = slice(indptr[row], indptr[row + 1])
        f = features[indices[cells]]
        slopes = f @ torch.linalg.solve(f.T @ f + penalties, features[5])
        torch.testing.assert_close(added[cells], slopes * left_over[cells], rtol=0, atol=1e-10)
        moved = codes[5] @ (solved.weights[row] - prior.weight) + solved.biases[row] - prior.bias
        torch.testing.assert_close(added[cells].sum(), moved, rtol=0, atol=1e-9)


def test_contributions_with_weak_penalties_are_those_of_the_smallest_row():
    """Nothing is lost to the directions that the cells of a short row do not span."""
    indptr, indices, values, codes = problem(k=25)
    prior = prior_of(25, 1e-12, 1e-12)
    added = ridge.contributions(indptr, values, Shared(codes, indices), prior, codes[5])
    features = torch.cat((codes, torch.ones(60, 1)), dim=1)
    left_over = values - codes[indices] @ prior.weight - prior.bias
    short = (indptr.diff() <= 20).nonzero()[:, 0]
    for row in short:
        cells = slice(indptr[row], indptr[row + 1])
        slopes = features[5] @ torch.linalg.pinv(features[indices[cells]])
        torch.testing.assert_close(added[cells], slopes * left_over[cells], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("bias_sd", "noise_sd"), [(0.5, 1.0), (1.0, 0.5)])
def test_bias_penalty_recovers_the_variance_ratio(bias_sd, noise_sd):
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 40, 3000)
    biases = rng.normal(0, bias_sd, 3000)
    residuals = np.repeat(biases, lengths) + rng.normal(0, noise_sd, lengths.sum())
    estimate = bias_penalty(residuals, np.repeat(np.arange(3000), lengths))
    assert estimate == pytest.approx(noise_sd**2 / bias_sd**2, rel=0.1)


def test_bias_penalty_of_rows_that_do_not_differ_is_at_its_bound():
    residuals = np.tile([1.0, -1.0], 50)
    assert bias_penalty(residuals, np.repeat(np.arange(50), 2)) == 20.0


@pytest.mark.parametrize("k", [5, 13])
def test_rows_that_single_precision_cannot_factor_are_exact(k):
    rng = np.random.default_rng(0)
    indptr, indices, values, codes = problem(k=k)
    # Codes of one direction: all but one eigenvalue of each system are the small penalty.
    codes = torch.tensor(100 * rng.normal(size=(60, 1)) * rng.normal(size=k))
    prior = prior_of(k, 1e-3, 3.0)
    weights, biases = solve_rows(indptr, indices, values, codes, prior)
    for row in range(len(indptr) - 1):
        cells = slice(indptr[row], indptr[row + 1])
        z, r = codes[indices[cells]], values[cells]
        features = torch.cat((z, torch.ones(len(z), 1)), dim=1)
        penalties = torch.tensor([prior.penalty] * k + [prior.bias_penalty]).double()
        centre = torch.cat((prior.weight, torch.tensor([prior.bias]))).double()
        expected = torch.linalg.solve(
            features.T @ features + penalties.diag(), features.T @ r + penalties * centre
        )
        predicted = z @ weights[row] + biases[row]
        assert (predicted - features @ expected).abs().amax() < 1e-5 if len(z) else True
