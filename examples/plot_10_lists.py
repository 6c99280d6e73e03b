"""
Lists that people want
======================

The highest predicted ratings make a poor list: they belong to films that the user will hardly
ever come to. ``recommend`` therefore ranks by relevance, what users are likely to meet *and* to
like, and ``rank_by="rating"`` is there for those who want the other. Both are measured here on
ratings held out, beside the most rated items and damped means. The data are MovieLens 100K where
it is at hand, else synthetic ratings, whose users rate at random: nothing tells there what they
will meet.
"""

import matplotlib.pyplot as plt
import numpy as np
from _data import load
from sklearn.model_selection import train_test_split

from skautorec import AutoRecRegressor
from skautorec.plotting import RankingDisplay

data = load()
train, test = train_test_split(data.ratings, test_size=0.1, random_state=0)
model = AutoRecRegressor(100, kind="both", random_state=0).fit(train)

# %%
# Two lists for one user, with the number of training ratings of each item.

counts = dict(zip(train.item_ids.tolist(), np.bincount(train.items).tolist(), strict=False))
user = train.user_ids[0]
for rank_by in ("relevance", "rating"):
    ids, scores = model.recommend(user, n=5, rank_by=rank_by)
    print(f"For user {user} by {rank_by}:")
    for item, score in zip(ids.tolist(), scores, strict=True):
        print(f"  {score:.2f}  {data.titles[item]} ({counts[item]} ratings)")

# %%
# How many of the held-out ratings of four stars or more are in the lists, and how high up, by the
# length of the lists.

plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
figure, ax = plt.subplots(figsize=(7, 4.4), layout="constrained")
options = {"relevant_from": 4, "ax": ax}
relevance = RankingDisplay.from_estimator(model, test, name="by relevance", **options)
rating = RankingDisplay.from_estimator(
    model, test, name="by predicted rating", rank_by="rating", baselines=False, **options
)
ax.set_title(f"{data.name}: lists on held-out ratings")
plt.show()
for name, display in (("relevance", relevance), ("rating", rating)):
    print(f"NDCG of ten items by {name}: {display.values[9]:.3f}")
