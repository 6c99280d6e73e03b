"""
A service that lives
====================

Ratings in the order that they came in. Two models are fitted to the first half. From then on each
hundred ratings are predicted before anybody learns them; one model then takes them in with
``update``, the other stays as it was fitted. (Without a network the ratings are made ones, in an
arbitrary order.)
"""

import warnings
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from skautorec import AutoRecRegressor
from skautorec.datasets import fetch_movielens, make_ratings

# Of users who come later, which here are most of them.
warnings.filterwarnings(
    "ignore", message=".* are by users without training ratings"
)

try:
    ratings = fetch_movielens("100k").ratings
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
times = ratings.users if ratings.timestamps is None else ratings.timestamps
ratings = ratings[np.argsort(times, kind="stable")]
half = len(ratings) // 2
past, later = ratings[:half], ratings[half:]

stays = AutoRecRegressor(100, rating_range=(1, 5), random_state=0).fit(past)
lives = AutoRecRegressor(100, rating_range=(1, 5), random_state=0).fit(past)
newcomers = ~np.isin(later.users, past.users)
print(f"{len(past):,} ratings are fitted, {len(later):,} come later,")
print(f"{newcomers.mean():.0%} of these by users who come later")

# %%
# Predict, then learn: hundred by hundred. ``drift_`` keeps the error of what was learned.

errors = {"as it was fitted": [], "updated": []}
for start in range(0, len(later), 100):
    now = later[start : start + 100]
    for name, one in zip(errors, (stays, lives), strict=True):
        errors[name].append(np.square(one.predict(now) - now.values))
    lives.update(now)
print(f"RMSE of all updates: {lives.drift_.rmse:.3f}")

# %%
# The error by how many ratings the user had given since the fit: to the model as it was fitted, who
# came later stays an average user for ever.

order = np.argsort(later.users, kind="stable")
rank = np.empty(len(later), dtype=int)
rank[order] = np.arange(len(later)) - np.searchsorted(
    later.users[order], later.users[order]
)
most = int(rank[newcomers].max()) + 1
edges = [edge for edge in (0, 10, 20, 40, 80, 160) if edge < most]
parts_of_ranks = list(pairwise([*edges, most]))
figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for (name, parts), marker in zip(errors.items(), "so", strict=True):
    squares = np.concatenate(parts)
    by_rank = [
        np.sqrt(squares[newcomers & (rank >= low) & (rank < high)].mean())
        for low, high in parts_of_ranks
    ]
    print(
        f"{name}: RMSE {np.sqrt(squares.mean()):.3f}, by ratings given",
        np.round(by_rank, 3),
    )
    (line,) = ax.plot(range(len(by_rank)), by_rank, marker=marker)
    where, color = (len(by_rank) - 1, by_rank[-1]), line.get_color()
    ax.annotate(
        name,
        where,
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=color,
    )
labels = [f"{low} to {high - 1}" for low, high in parts_of_ranks[:-1]]
ax.set_xticks(
    range(len(parts_of_ranks)), [*labels, f"{parts_of_ranks[-1][0]} or more"]
)
ax.set(
    xlabel="Ratings that a new user had given before",
    ylabel="RMSE on the next ratings (stars)",
    title="Users who came after the fit",
)
plt.show()
