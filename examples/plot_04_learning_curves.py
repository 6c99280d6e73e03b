"""
How many ratings, how many epochs
=================================

Would more ratings help, and is training long enough? scikit-learn's
:obj:`~sklearn.model_selection.learning_curve` answers the first with ever larger parts of the
training ratings, :class:`~skautorec.plotting.TrainingCurveDisplay` the second.
"""

import matplotlib.pyplot as plt
from skautorec import AutoRecRegressor
from skautorec.datasets import fetch_movielens, make_ratings
from skautorec.plotting import TrainingCurveDisplay
from sklearn.model_selection import ShuffleSplit, learning_curve

try:
    ratings = fetch_movielens("100k").ratings
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
figure, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
for kind, marker, height in (("item", "o", 7), ("both", "s", -7)):
    sizes, _, scores = learning_curve(
        AutoRecRegressor(50, kind=kind, random_state=0),
        ratings,
        ratings.values,
        train_sizes=[0.1, 0.2, 0.4, 0.7, 1.0],
        cv=ShuffleSplit(1, test_size=0.1, random_state=0),
        scoring="neg_root_mean_squared_error",
        error_score="raise",
    )
    errors = -scores.mean(axis=1)
    (line,) = ax.plot(sizes, errors, marker=marker)
    ax.annotate(
        f"{kind}, {errors[-1]:.3f}",
        (sizes[-1], errors[-1]),
        xytext=(8, height),
        textcoords="offset points",
        va="center",
        color=line.get_color(),
    )
    print(
        kind, dict(zip(sizes.tolist(), errors.round(4).tolist(), strict=True))
    )
ax.set(
    xlabel="Training ratings",
    ylabel="RMSE on held-out ratings (stars)",
    title="Error by number of ratings, 50 hidden units",
)
ax.locator_params(axis="x", nbins=6)
ax.xaxis.set_major_formatter("{x:,.0f}")
plt.show()

# %%
# Training watches ratings that it holds out, ends when they are predicted no better, and keeps the
# best epoch. The objective is that of the cells which an epoch hides, others in each, so it is
# ragged; R^2 is that of parameters averaged over epochs, and is not.

model = AutoRecRegressor(50, random_state=0).fit(ratings)
figure, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
display = TrainingCurveDisplay.from_estimator(model, ax=ax)
ax.set_title("Training, 50 hidden units")
ax.yaxis.set_major_formatter("{x:,.0f}")
print(
    f"{len(model.loss_curve_)} epochs, of which {model.n_iter_} are behind the model"
)
plt.show()
