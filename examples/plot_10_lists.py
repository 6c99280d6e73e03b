"""
Lists that people want
======================

The highest predicted ratings make a poor list: they belong to films that the user will hardly
ever come to. ``recommend`` therefore ranks by relevance, what users are likely to meet *and* to
like, and ``rank_by="rating"`` is there for those who want the other. Both are measured here on
ratings held out, beside the most rated items and damped means. (Without a
network the ratings are made ones, whose users rate at random: nothing tells there what they will
meet.)
"""

import matplotlib.pyplot as plt
import numpy as np
from skautorec import AutoRecRegressor
from skautorec.datasets import fetch_movielens, make_ratings
from skautorec.plotting import RankingDisplay
from sklearn.model_selection import train_test_split

try:
    movielens = fetch_movielens("100k")
    ratings, titles = movielens.ratings, movielens.titles
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
    titles = {item: f"Film {item}" for item in ratings.item_ids.tolist()}
train, test = train_test_split(ratings, test_size=0.1, random_state=0)
model = AutoRecRegressor(100, kind="both", random_state=0).fit(train)

# %%
# Two lists for one user, with the number of training ratings of each item.

counts = dict(
    zip(
        train.item_ids.tolist(), np.bincount(train.items).tolist(), strict=False
    )
)
user = train.user_ids[0]
for rank_by in ("relevance", "rating"):
    ids, scores = model.recommend(user, n=5, rank_by=rank_by)
    print(f"For user {user} by {rank_by}:")
    for item, score in zip(ids.tolist(), scores, strict=True):
        print(f"  {score:.2f}  {titles[item]} ({counts[item]} ratings)")

# %%
# How many of the held-out ratings of four stars or more are in the lists, and how high up, by the
# length of the lists.

figure, ax = plt.subplots(figsize=(7, 4.4), layout="constrained")
options = {"relevant_from": 4, "ax": ax}
relevance = RankingDisplay.from_estimator(
    model, test, name="by relevance", **options
)
rating = RankingDisplay.from_estimator(
    model,
    test,
    name="by predicted rating",
    rank_by="rating",
    baselines=False,
    **options,
)
ax.set_title("Lists on held-out ratings")
plt.show()
for name, display in (("relevance", relevance), ("rating", rating)):
    print(f"NDCG of ten items by {name}: {display.values[9]:.3f}")
