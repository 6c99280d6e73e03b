"""
A map of the items
==================

:class:`~skautorec.plotting.ItemMapDisplay` puts items near each other when users are predicted to
treat them alike: the films of MovieLens 100K. (Without a network the items are made ones, without
titles and genres.)
"""

import matplotlib.pyplot as plt
import numpy as np
from skautorec import AutoRecRegressor
from skautorec.datasets import fetch_movielens, make_ratings
from skautorec.plotting import ItemMapDisplay

try:
    movielens = fetch_movielens("100k")
    ratings, titles = movielens.ratings, movielens.titles
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
    titles = {item: f"Film {item}" for item in ratings.item_ids.tolist()}
model = AutoRecRegressor(100, random_state=0).fit(ratings)

# %%
# The neighbours of well-known films, by ``similar_items``, in all dimensions rather than two. Films
# with few ratings may be anywhere, so neighbours are looked for among the better known half.

counts = np.bincount(ratings.items, minlength=ratings.n_items)
popular = model.item_ids_[np.argsort(-counts, kind="stable")].tolist()
known = popular[: len(popular) // 2]
for item in popular[:8]:
    print(titles[item])
    for near, similarity in zip(
        *model.similar_items(item, 3, candidates=known), strict=True
    ):
        print(f"  {similarity:.2f}  {titles[near.item()]}")

# %%
# Labels go to the thirty films rated most. On MovieLens the first direction parts action and
# disaster films from critics' favourites, the second those that many have rated from those that few
# have: a code of few ratings is near that of none. Nobody told the model about genres.

figure, ax = plt.subplots(figsize=(9, 6.5), layout="constrained")
labels = {item: titles[item].rsplit(" (", 1)[0] for item in popular[:30]}
ItemMapDisplay.from_estimator(model, labels=labels, ax=ax, s=2 + counts / 12)
ax.spines[["top", "right"]].set_visible(False)
ax.set_title(f"{len(popular):,} items, dots grow with their ratings")
plt.show()
