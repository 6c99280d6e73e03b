"""Seconds to solve all users' ridge rows, against a loop over users with numpy.linalg.solve.

MovieLens 1M, 500 units, codes of a fitted item kind. Rounds alternate; medians are quoted.
"""

import argparse
import json
from dataclasses import replace

import numpy as np
import torch
from data import alternate, load, machine

from skautorec import AutoRecRegressor
from skautorec._core.ridge import Prior, relative_variances, solve_rows
from skautorec.datasets import make_ratings


class Shared:
    """Codes that are the same for all decoded rows, as those of new users are."""

    def __init__(self, codes, indices):
        self.codes, self.indices, self.width = codes, indices, codes.shape[1]

    def take(self, rows, cells):
        """Codes of a group, zero for padding."""
        taken = self.codes[self.indices[cells.clamp(min=0)]]
        return taken.masked_fill_((cells < 0)[..., None], 0.0)


def numpy_loop(rows, codes, penalty, bias_penalty):
    """Weights of every row, one numpy.linalg.solve each."""
    k = codes.shape[1]
    shrinkage = np.diag([penalty] * k + [bias_penalty])
    features = np.column_stack((codes, np.ones(len(codes))))
    weights = np.zeros((rows.shape[0], k + 1))
    for row, (start, stop) in enumerate(zip(rows.indptr[:-1], rows.indptr[1:], strict=True)):
        z = features[rows.indices[start:stop]]
        weights[row] = np.linalg.solve(z.T @ z + shrinkage, z.T @ rows.data[start:stop])
    return weights


def main():
    """Print the table and its JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small synthetic set, one round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ratings = make_ratings(300, 200, 5000, random_state=0) if options.quick else load("ml-1m")
    model = AutoRecRegressor(500, max_iter=5, random_state=0).fit(ratings)
    codes = model.item_factors_ / model._fitted.inputs.scale.slope[0]
    rows = ratings.to_matrix()
    rows.data -= rows.data.mean()
    penalty, bias_penalty = 90.0, 3.0
    indptr, indices = torch.tensor(rows.indptr).long(), torch.tensor(rows.indices).long()
    Z, values = torch.tensor(codes), torch.tensor(rows.data)
    prior = Prior(torch.zeros(500, dtype=torch.float64), 0.0, penalty, bias_penalty)
    each = torch.arange(len(indptr)), torch.zeros(len(indptr) - 1).long()

    def solve():
        return solve_rows(indptr, values, Shared(Z, indices), prior)

    def solve_with_variance():
        # The variance of one prediction of each row, in single precision as the estimator does.
        single = replace(prior, weight=prior.weight.float())
        codes = Z.float()
        return solve(), relative_variances(indptr, Shared(codes, indices), single, *each, codes)

    steps = {
        "numpy.linalg.solve loop": lambda: numpy_loop(rows, codes, penalty, bias_penalty),
        "solve_rows": solve,
        "solve_rows and relative_variances": solve_with_variance,
    }
    medians, answers = alternate(steps, 1 if options.quick else options.rounds)
    difference = np.abs(
        answers["numpy.linalg.solve loop"][:, :-1] - answers["solve_rows"].weights.numpy()
    )
    assert difference.max() < 1e-6, difference.max()
    print(machine(), f"\n\n{rows.shape[0]} rows, 500 units\n\n| step | median s | of the loop |")
    print("|---|---|---|")
    for name, median in medians.items():
        print(f"| {name} | {median:.2f} | {median / medians['numpy.linalg.solve loop']:.2f} |")
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
