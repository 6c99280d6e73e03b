"""
Item, user, or both
===================

``kind`` says what the autoencoder encodes: items by their users' ratings, users by their ratings
of items, or one after the other. The three are compared on the same five splits, so that it is the
differences that count, and with user and item biases: what is left of the model when an immense
penalty takes all tastes out of it. The data are MovieLens 100K where it is at hand, else synthetic
ratings.
"""

import matplotlib.pyplot as plt
import numpy as np
from _data import load
from sklearn.model_selection import KFold, cross_validate

from skautorec import AutoRecRegressor

data = load()
ratings = data.ratings
models = {
    "biases only": AutoRecRegressor(10, lambd=1e7, max_iter=5, random_state=0),
    "user": AutoRecRegressor(100, kind="user", random_state=0),
    "item": AutoRecRegressor(100, kind="item", random_state=0),
    "both": AutoRecRegressor(100, kind="both", random_state=0),
}
results = {
    name: cross_validate(
        model,
        ratings,
        ratings.values,
        cv=KFold(5, shuffle=True, random_state=0),
        scoring="neg_root_mean_squared_error",
        error_score="raise",
    )
    for name, model in models.items()
}
errors = np.array([-result["test_score"] for result in results.values()])
for name, result, error in zip(models, results.values(), errors, strict=True):
    seconds = np.median(result["fit_time"])
    print(f"{name:<12} RMSE {error.mean():.4f}, fit {seconds:.1f} s")

# %%
# Each grey line is a split. The splits differ by more than ``"item"`` and ``"both"`` do, and yet
# ``"both"`` is the better one in each: the user side finds something that the item side left.

plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
figure, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
ax.plot(range(len(models)), errors, color="0.75", linewidth=1)
ax.plot(range(len(models)), errors.mean(axis=1), "o", color="C0", markersize=7)
for at, mean in enumerate(errors.mean(axis=1)):
    ax.annotate(f"{mean:.3f}", (at, mean), xytext=(9, 3), textcoords="offset points", color="C0")
ax.set_xticks(range(len(models)), models)
ax.set(
    xlim=(-0.3, len(models) - 0.5),
    xlabel="kind",
    ylabel="RMSE on held-out ratings (stars)",
    title=f"{data.name}, 100 hidden units: five splits, mean in blue",
)
plt.show()
