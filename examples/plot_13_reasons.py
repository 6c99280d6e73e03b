"""
Why this recommendation
=======================

A predicted rating is a base, which is the same for everybody who knows nothing of this user's
taste, plus one number for each rating that they gave. ``explain`` returns both; their sum is the
prediction, exactly. (Without a network the films are made ones, without titles.)
"""

import matplotlib.pyplot as plt
import numpy as np
from skautorec import AutoRecRegressor
from skautorec.datasets import fetch_movielens, make_ratings

try:
    movielens = fetch_movielens("100k")
    ratings, titles = movielens.ratings, movielens.titles
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
    titles = {item: f"Film {item}" for item in ratings.item_ids.tolist()}
model = AutoRecRegressor(random_state=0).fit(ratings)

# %%
# A user with few ratings, so that all of them can be looked at, and the first film on their list.

frame = ratings.to_frame()
counts = frame["user_id"].value_counts(ascending=True)
user = counts.index[len(counts) // 10]
theirs = frame[frame["user_id"] == user]
given = dict(zip(theirs["item_id"], theirs["rating"], strict=True))
items, scores = model.recommend(user, n=3)
film = items[0]
base, rated, added = model.explain(user, film, n=None)
print(
    f"User {user} has given {len(given)} ratings. First on the list: {titles[film]}"
)
print(
    f"Predicted rating: {base:.2f} + {added.sum():.2f} = {base + added.sum():.2f}"
)

# %%
# What speaks for it and what against. A high rating of a film can speak against another one, where
# those who like the first tend not to like the second.

strongest = np.argsort(-np.abs(added))[:12]
order = strongest[np.argsort(added[strongest])]
figure, ax = plt.subplots(figsize=(8, 4.8), layout="constrained")
bars = ax.barh(
    range(len(order)),
    added[order],
    color=np.where(added[order] > 0, "C0", "C1"),
)
names = [f"{titles[item]}: {given[item]:g}" for item in rated[order].tolist()]
ax.set_yticks(range(len(order)), names)
ax.bar_label(bars, fmt="{:+.2f}", padding=3, fontsize="small")
ax.axvline(0, color="0.4", linewidth=0.8)
ax.margins(x=0.15)
ax.set(
    xlabel="Added to the predicted rating (stars)",
    ylabel="Film and the rating it was given",
    title=f"Why {titles[film]}",
)
plt.show()

# %%
# A new user is explained in the same way, right after the ratings were given:

newcomer = dict.fromkeys(rated[np.argsort(-added)[:3]].tolist(), 5.0)
base, rated, added = model.explain(newcomer, film, n=None)
for item, number in zip(rated.tolist(), added, strict=True):
    print(f"{number:+.2f}  {titles[item]}")
