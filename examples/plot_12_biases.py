"""
Is it better than biases
========================

An error says nothing by itself. The least that a model has to beat is the mean plus a number for
each user, how generous they are, and one for each item, how good it is:
:class:`~skautorec.baselines.BiasRegressor`. Both models predict the same held-out ratings, so the
question can be asked of each user: who gains, and how sure is that?
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import bootstrap
from skautorec import AutoRecRegressor
from skautorec.baselines import BiasRegressor
from skautorec.datasets import fetch_movielens, make_ratings
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split

try:
    ratings = fetch_movielens("100k").ratings
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
train, test = train_test_split(ratings, test_size=0.1, random_state=0)
models = {
    "biases": BiasRegressor(),
    "AutoRec": AutoRecRegressor(kind="both", random_state=0),
}
predicted = {
    name: model.fit(train).predict(test) for name, model in models.items()
}
for name, values in predicted.items():
    print(f"{name}: RMSE {root_mean_squared_error(test.values, values):.4f}")

# %%
# The gain of each user is the difference of their mean squared errors. Users are drawn anew to see
# how far the gain could be luck: ratings of one user are not independent, users are.

users, codes = np.unique(test.users, return_inverse=True)
n_ratings = np.bincount(codes)


def squares_by_user(values):
    return np.bincount(codes, weights=(values - test.values) ** 2)


gain = squares_by_user(predicted["biases"]) - squares_by_user(
    predicted["AutoRec"]
)


def mean_gain(gain, n_ratings, axis=-1):
    return gain.sum(axis=axis) / n_ratings.sum(axis=axis)


interval = bootstrap(
    (gain, n_ratings),
    mean_gain,
    paired=True,
    vectorized=True,
    n_resamples=2000,
    rng=0,
).confidence_interval
print(f"{np.mean(gain > 0):.0%} of {len(users)} users gain")
print(f"Gain in the mean squared error: {mean_gain(gain, n_ratings):.4f},")
print(f"95 % interval {interval.low:.4f} to {interval.high:.4f}")

# %%
# And who gains: a sixth of the users in each row, those with few ratings below. What is known of a
# user matters less than one would think; what is known of the items serves everybody.

n_known = np.bincount(train.users, minlength=train.n_users)[users]
groups = np.array_split(np.argsort(n_known, kind="stable"), 6)
names = [
    f"{n_known[group].min()} to {n_known[group].max()}" for group in groups
]
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for name, marker in zip(models, "so", strict=True):
    squares = squares_by_user(predicted[name])
    errors = [
        np.sqrt(squares[group].sum() / n_ratings[group].sum())
        for group in groups
    ]
    ax.plot(errors, range(len(groups)), marker, label=name)
ax.set_yticks(range(len(groups)), names)
ax.set(
    xlabel="RMSE on held-out ratings (stars)",
    ylabel="Training ratings of the user",
    title="A sixth of the users in each row",
)
ax.grid(axis="y", alpha=0.3)
ax.legend(frameon=False)
plt.show()
