"""
New users, by how many ratings they give
========================================

A model fitted without them predicts for new users from the ratings they bring, without retraining.
How good is it after one rating, after ten? Users are left out of training; some of their ratings
stay hidden, the same ones all along, and are predicted from ever more of the others. Beside it are
user and item biases, which read new users in the same way.
"""

import matplotlib.pyplot as plt
import numpy as np
from skautorec import AutoRecRegressor, Ratings
from skautorec.baselines import BiasRegressor
from skautorec.datasets import fetch_movielens, make_ratings
from sklearn.metrics import root_mean_squared_error

SIZES = [0, 1, 2, 5, 10, 20, 50]
try:
    ratings = fetch_movielens("100k").ratings
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
R = ratings.to_matrix()
rng = np.random.default_rng(0)

# Users with enough ratings to give 50 and to hide ten.
active = np.flatnonzero(np.diff(R.indptr) >= SIZES[-1] + 10)
newcomers = rng.choice(active, len(active) // 4, replace=False)

# %%
# The ratings of each new user in random order: the first ``n`` are given, those from the 50th on
# hidden.

ratings = Ratings.from_matrix(R)
shuffled = np.lexsort((rng.random(len(ratings)), ratings.users))
rank = np.empty(len(ratings), dtype=int)
rank[shuffled] = np.arange(len(ratings)) - np.searchsorted(
    ratings.users, ratings.users
)
is_new = np.isin(ratings.users, newcomers)
hidden = ratings[is_new & (rank >= SIZES[-1])]
print(f"{len(newcomers)} new users, {len(hidden):,} hidden ratings")

models = {
    "AutoRec": AutoRecRegressor(random_state=0),
    "user and item biases": BiasRegressor(),
}
errors = {name: [] for name in models}
for name, model in models.items():
    model.fit(ratings[~is_new])
    for size in SIZES:
        given = ratings[is_new & (rank < size)].to_matrix()
        predicted = model.predict(given)[hidden.users, hidden.items]
        errors[name].append(root_mean_squared_error(hidden.values, predicted))
for name, error in errors.items():
    print(f"{name}: {np.round(error, 3).tolist()}")

# %%
# The first one or two ratings say how generous a user is and little else, and biases make as good
# use of them or better; tastes show from about five ratings on.

figure, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
for (name, error), marker in zip(errors.items(), "os", strict=True):
    (line,) = ax.plot(range(len(SIZES)), error, marker=marker)
    ax.annotate(
        f"{name}\n{error[-1]:.3f}",
        (len(SIZES) - 1, error[-1]),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=line.get_color(),
    )
ax.set_xticks(range(len(SIZES)), SIZES)
ax.set(
    xlabel="Ratings that a new user has given",
    ylabel="RMSE on hidden ratings (stars)",
    title=f"{len(newcomers)} users not in the training data",
)
plt.show()
