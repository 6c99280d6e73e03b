"""
Item, user, or both
===================

``kind`` says what the autoencoder encodes: items by their users' ratings, users by their ratings
of items, or one after the other. The three are compared on the same three splits, so that it is the
differences that count, and with user and item biases, which know no tastes.
"""

import matplotlib.pyplot as plt
import numpy as np
from skautorec import AutoRecRegressor
from skautorec.baselines import BiasRegressor
from skautorec.datasets import fetch_movielens, make_ratings
from sklearn.model_selection import KFold, cross_validate

try:
    ratings = fetch_movielens("100k").ratings
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
folds = KFold(3, shuffle=True, random_state=0)
models = {
    "biases only": BiasRegressor(),
    "user": AutoRecRegressor(100, kind="user", random_state=0),
    "item": AutoRecRegressor(100, kind="item", random_state=0),
    "both": AutoRecRegressor(100, kind="both", random_state=0),
}
results = {
    name: cross_validate(
        model,
        ratings,
        ratings.values,
        cv=folds,
        scoring="neg_root_mean_squared_error",
        error_score="raise",
    )
    for name, model in models.items()
}
errors = {name: -result["test_score"] for name, result in results.items()}
for name, result in results.items():
    print(f"{name}: fit in {np.median(result['fit_time']):.1f} s")
print({name: round(float(np.mean(error)), 4) for name, error in errors.items()})

# %%
# Each grey point is a split. Splits differ from one another by about as much as ``"item"`` and
# ``"both"`` do, so means alone would not tell; what does is in how many splits one is the better.

n_better = int(np.sum(errors["both"] < errors["item"]))
print(
    f'"both" is better than "item" in {n_better} of {len(errors["item"])} splits'
)

figure, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
means = [np.mean(error) for error in errors.values()]
ax.plot(
    range(len(errors)), list(errors.values()), "o", color="0.75", markersize=4
)
ax.plot(
    range(len(errors)), means, "_", color="C0", markersize=16, markeredgewidth=2
)
for at, mean in enumerate(means):
    ax.annotate(
        f"{mean:.3f}",
        (at, mean),
        xytext=(11, -3),
        textcoords="offset points",
        color="C0",
    )
ax.set_xticks(range(len(errors)), errors)
ax.set(
    xlim=(-0.3, len(errors) - 0.5),
    xlabel="kind",
    ylabel="RMSE on held-out ratings (stars)",
    title="100 hidden units: three splits, mean in blue",
)
plt.show()
