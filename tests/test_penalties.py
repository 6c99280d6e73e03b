"""Penalties of decoded rows, measured on held-out ratings."""

import numpy as np
import pytest
import scipy.sparse
from conftest import encode, new
from test_codes import random_encoder

from skautorec._core import calibration, penalties
from skautorec._core.draws import Draws
from skautorec._core.encoder import Observed
from skautorec._core.encoding import Encoding
from skautorec._core.penalties import choose_penalties
from skautorec.datasets import make_ratings

N_ENCODED, K = 150, 6
NOISE, BIAS_VARIANCE = 0.25, 0.05


def planted(ratio, n_rows, usual=1.0, usual_of_biases=NOISE / BIAS_VARIANCE, scale=1.0, seed=0):
    """Decoded rows whose weights vary by the noise over ``ratio``, with a tenth held out.

    Their codes hold other ratings, those of users who are not among them.
    """
    rng = np.random.default_rng(seed)
    others = np.where(
        rng.random((N_ENCODED, 40)) < 0.5, rng.integers(1, 6, (N_ENCODED, 40)), np.nan
    )
    flat = Encoding("ratings", np.full(40, 3.0), 1e9, 3.0)  # without biases of encoded rows
    encoder = random_encoder(others, "ratings", (K,), encoding=flat)
    rows, columns = np.nonzero(~np.isnan(others))
    inputs = scipy.sparse.coo_array((others[rows, columns], (rows, columns)), others.shape).tocsr()
    sums = encoder.sums(inputs)
    codes = encode(encoder, others)[0]
    w = rng.normal(0, np.sqrt(NOISE / ratio), (n_rows, K))
    b = rng.normal(0, np.sqrt(BIAS_VARIANCE), (n_rows, 1))
    R = 3 + scale * (w @ codes.T + b + rng.normal(0, np.sqrt(NOISE), (n_rows, N_ENCODED)))
    observed = rng.random(R.shape) < 0.2
    is_out = rng.random(R.shape) < 0.15
    ratings, heldout = (
        scipy.sparse.csr_array((R[mask], np.nonzero(mask)), shape=R.shape)
        for mask in (observed & ~is_out, observed & is_out)
    )
    changed = {"prior_weight": np.zeros(K), "prior_bias": 3.0}
    changed |= {"penalty": usual, "bias_penalty": usual_of_biases}
    encoder = random_encoder(others, "ratings", (K,), encoding=flat, **changed)
    return encoder, Observed(ratings), sums, heldout


def choose(encoder, observed, sums, heldout, base=None, penalty=None):
    base = np.zeros(heldout.nnz) if base is None else base
    return choose_penalties(encoder, observed, sums, heldout, base, Draws(0), penalty)


@pytest.mark.parametrize("ratio", [0.15, 0.6, 3.0])
def test_a_planted_ratio_of_noise_to_variance_is_recovered(ratio):
    chosen = choose(*planted(ratio, 1500))
    assert ratio / 2 < chosen.penalty < 2 * ratio


@pytest.mark.parametrize("usual_of_biases", [0.5, 50.0])
def test_a_planted_ratio_of_biases_is_recovered(usual_of_biases):
    chosen = choose(*planted(1.0, 1500, usual_of_biases=usual_of_biases))
    assert NOISE / BIAS_VARIANCE / 2 < chosen.bias_penalty < 2 * NOISE / BIAS_VARIANCE


def test_few_held_out_ratings_leave_the_usual_penalties():
    usual = 1.0
    few = planted(0.05, 3, usual)
    assert 1 < few[-1].nnz < 20
    chosen = choose(*few)
    assert usual / 4 < chosen.penalty < 4 * usual
    assert 1.25 < chosen.bias_penalty < 20
    encoder, observed, sums, heldout = few
    nothing = scipy.sparse.csr_array(heldout.shape)
    assert choose(encoder, observed, sums, nothing) == encoder
    assert choose(encoder, observed, sums, nothing, penalty=7.0).penalty == 7.0


def test_many_held_out_ratings_outweigh_the_usual_penalties():
    # A long way from the usual one, in steps of four with a parabola between them.
    chosen = choose(*planted(0.5, 1500, usual=32.0))
    assert 0.25 < chosen.penalty < 1.0


def test_predictions_beyond_the_range_are_clipped_as_they_will_be():
    # Ratings at the ends of the range: what is predicted beyond them is no error.
    encoder, observed, sums, heldout = planted(0.3, 800, scale=6.0)

    def clipped(cells):
        return scipy.sparse.csr_array(
            (np.clip(cells.data, 1, 5), cells.indices, cells.indptr), shape=cells.shape
        )

    heldout = clipped(heldout)
    assert np.isin(heldout.data, (1, 5)).mean() > 0.5
    chosen = choose(encoder, observed, sums, heldout)
    far = [
        misfit(encoder, observed, sums, heldout, factor * chosen.penalty, chosen.bias_penalty)
        for factor in (0.25, 1, 4)
    ]
    assert far[1] < min(far[0], far[2])
    # Where what is predicted is far beyond the range whatever the penalty, none is better.
    base = np.full(heldout.nnz, 1e3)
    same = choose(encoder, observed, sums, heldout, base)
    assert (same.penalty, same.bias_penalty) == (encoder.penalty, encoder.bias_penalty)


def misfit(encoder, observed, sums, heldout, penalty, bias_penalty):
    solved = type(encoder)(**(vars(encoder) | {"penalty": penalty, "bias_penalty": bias_penalty}))
    rows = solved.decode(observed, sums)[0]
    codes = encoder.codes(sums)
    at, columns = heldout.tocoo().coords
    predicted = (rows.factors[at] * codes.factors[columns]).sum(axis=1) + rows.bias[at]
    predicted += codes.bias[columns]
    return np.square(np.clip(predicted, 1, 5) - heldout.data).sum()


def test_what_another_model_predicts_is_taken_off():
    encoder, observed, sums, heldout = planted(0.5, 600)
    expected = choose(encoder, observed, sums, heldout)
    base = np.random.default_rng(0).normal(0, 0.3, heldout.nnz)
    shifted = scipy.sparse.csr_array(
        (heldout.data + base, heldout.indices, heldout.indptr), shape=heldout.shape
    )
    chosen = choose(encoder, observed, sums, shifted, base)
    assert chosen.penalty == pytest.approx(expected.penalty, rel=0.05)


def test_a_given_penalty_is_used_and_that_of_biases_still_chosen():
    encoder, *rest = planted(0.5, 1500, usual_of_biases=50.0)
    chosen = choose(encoder, *rest, penalty=3.0)
    assert chosen.penalty == 3.0
    assert chosen.bias_penalty < 25


def test_rows_are_drawn_until_enough_of_their_ratings_are_held_out(monkeypatch):
    encoder, observed, sums, heldout = planted(0.5, 1500)
    monkeypatch.setattr(penalties, "_N_CELLS", 500)
    rows = penalties._some_rows(observed.ratings, heldout, Draws(0))
    assert 500 <= heldout[rows].nnz < 520
    # Every held-out rating of the drawn rows is predicted, each once.
    seen = []
    for predicted, cells in penalties._predictions(
        encoder, observed.take(rows), sums, heldout[rows], [1.0, 2.0], [3.0]
    ):
        assert predicted.shape == (2, 1, len(cells))
        seen += cells.tolist()
    assert sorted(seen) == list(range(heldout[rows].nnz))


@pytest.mark.parametrize("n_estimators", [1, 2])
def test_a_number_is_used_as_it_is(kind, n_estimators, ratings):
    model = new(kind, decoder_lambd=7.5, n_estimators=n_estimators).fit(ratings)
    shape = (n_estimators, 2 if kind == "both" else 1)
    np.testing.assert_array_equal(model.decoder_lambd_, np.full(shape, 7.5))
    assert all(part.encoder.penalty == 3.75 for part in model._fitted.model.parts)
    auto = new(kind, n_estimators=n_estimators).fit(ratings)
    assert auto.decoder_lambd_.shape == shape and (auto.decoder_lambd_ > 0).all()


@pytest.mark.filterwarnings("ignore:On .* held-out ratings")  # with the worst penalties
def test_what_is_chosen_is_near_the_best_of_a_search(kind):
    ratings = make_ratings(200, 150, 8_000, random_state=0)
    is_test = np.random.default_rng(0).random(len(ratings)) < 0.2

    def error(decoder_lambd):
        chosen = {"hidden_units": 30, "lambd": 50.0, "max_iter": 40}
        model = new(kind, decoder_lambd=decoder_lambd, **chosen).fit(ratings[~is_test])
        errors = ratings[is_test].values - model.predict(ratings[is_test])
        return np.sqrt(np.mean(np.square(errors)))

    assert error("auto") < 1.005 * min(error(number) for number in (6, 50, 400))


def test_what_is_compared_is_what_the_rows_would_predict():
    R = np.random.default_rng(0).integers(1, 4, (60, 40)).astype(float)
    R += np.arange(60)[:, None] % 3  # so that encoded rows have biases
    heldout, kept = (
        scipy.sparse.csr_array((R[mask], np.nonzero(mask)), shape=R.shape)
        for mask in (np.arange(2400).reshape(60, 40) % 7 == part for part in (0, 1))
    )
    encoder = random_encoder(np.where(kept.toarray() > 0, R, np.nan), "ratings", (K,))
    sums, by_row = encoder.sums(kept), kept.T.tocsr()
    asked = heldout.T.tocsr()
    rows = encoder.decode(Observed(by_row, by_row.data), sums)[0]
    codes = encoder.codes(sums)
    at, columns = asked.tocoo().coords
    expected = (rows.factors[at] * codes.factors[columns]).sum(axis=1) + rows.bias[at]
    expected += codes.bias[columns]
    observed = Observed(by_row, by_row.data)
    strengths = [encoder.penalty], [encoder.bias_penalty]
    for predicted, cells in penalties._predictions(encoder, observed, sums, asked, *strengths):
        np.testing.assert_allclose(predicted[0, 0], expected[cells], atol=1e-3)
        assert len(cells) and np.abs(codes.bias).max() > 0.1


def test_the_second_part_is_chosen_beside_what_the_first_predicts(ratings, monkeypatch):
    bases = []

    def spy(encoder, observed, sums, heldout, base, *others):
        bases.append(base)
        return choose_penalties(encoder, observed, sums, heldout, base, *others)

    monkeypatch.setattr(calibration, "choose_penalties", spy)
    new("both").fit(ratings)
    assert (bases[0] == 0).all() and 2 < bases[1].mean() < 4.5
