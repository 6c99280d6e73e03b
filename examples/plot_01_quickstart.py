"""
Predict ratings and recommend
=============================

Fit nine tenths of a table of ratings, look at the error on ratings held out, and recommend to a
known user and to a new one. The data are MovieLens 100K: 100,000 ratings of films, which are
downloaded once.
"""

import matplotlib.pyplot as plt
import numpy as np
from skautorec import AutoRecRegressor
from skautorec.datasets import fetch_movielens, make_ratings
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split

try:
    movielens = fetch_movielens("100k")
    ratings, titles = movielens.ratings, movielens.titles
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
    titles = {item: f"Film {item}" for item in ratings.item_ids.tolist()}
train, test = train_test_split(ratings, test_size=0.1, random_state=0)
model = AutoRecRegressor(random_state=0).fit(train)
predicted = model.predict(test)
rmse = root_mean_squared_error(test.values, predicted)
constant = np.full(len(test), train.values.mean())
print(f"RMSE on {len(test):,} held-out ratings: {rmse:.3f}")
print(
    f"RMSE of the mean rating: {root_mean_squared_error(test.values, constant):.3f}"
)

# %%
# Recommendations are lists of ids and scores: what the user is likely to meet and to like. A new
# user is a mapping from item to rating, and needs no retraining.


def show(ids, scores):
    for item, score in zip(ids.tolist(), scores, strict=True):
        print(f"  {score:.2f}  {titles[item]}")


user = train.user_ids[0]
print(f"For user {user}:")
show(*model.recommend(user, n=5))

popular = train.item_ids[np.argsort(-np.bincount(train.items))[:2]].tolist()
newcomer = {popular[0]: 5, popular[1]: 2}
print(
    "For someone who gives",
    " and ".join(f"{titles[i]} {r}" for i, r in newcomer.items()),
)
show(*model.recommend(newcomer, n=5))

# %%
# What a prediction is worth: the true ratings of held-out films, by what was predicted.

bounds = [0, 2.5, 3, 3.5, 4, 4.5, 6]
names = [
    "below 2.5",
    "2.5 to 3",
    "3 to 3.5",
    "3.5 to 4",
    "4 to 4.5",
    "above 4.5",
]
stars = np.unique(test.values)
counts = np.histogram2d(
    predicted, test.values, bins=[bounds, [*stars, np.inf]]
)[0]
shares = counts / counts.sum(axis=1, keepdims=True)

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
colors = plt.get_cmap("cividis")(np.linspace(0, 1, len(stars)))
left = np.cumsum(shares, axis=1) - shares
for star, share, start, color in zip(
    stars, shares.T, left.T, colors, strict=True
):
    bars = ax.barh(
        names,
        share,
        left=start,
        color=color,
        edgecolor="white",
        label=f"{star:g}",
    )
    text_color = "white" if color[:3].mean() < 0.5 else "black"
    labels = [f"{one:.0%}" if one > 0.06 else "" for one in share]
    ax.bar_label(
        bars, labels, label_type="center", color=text_color, fontsize="small"
    )
for at, count in enumerate(counts.sum(axis=1)):
    ax.annotate(
        f"{count:,.0f} ratings",
        (1.01, at),
        va="center",
        color="0.4",
        fontsize="small",
    )
ax.spines[:].set_visible(False)
ax.tick_params(length=0)
ax.set_xticks([])
ax.set(
    xlim=(0, 1.15),
    xlabel="Share of the true ratings",
    ylabel="Predicted rating (stars)",
)
ax.set_title(f"{len(test):,} held-out ratings, RMSE {rmse:.3f}")
figure.legend(
    loc="outside lower center",
    ncols=len(stars),
    title="True rating (stars)",
    frameon=False,
)
plt.show()
