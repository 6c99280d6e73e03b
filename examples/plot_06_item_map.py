"""
A map of the items
==================

:class:`~skautorec.plotting.ItemMapDisplay` puts items near each other when users are predicted to
treat them alike. The data are MovieLens 100K where it is at hand, else synthetic ratings (whose
map means nothing).
"""

import matplotlib.pyplot as plt
import numpy as np
from _data import load

from skautorec import AutoRecRegressor
from skautorec.plotting import ItemMapDisplay

data = load()
model = AutoRecRegressor(100, random_state=0).fit(data.ratings)

# %%
# The neighbours of well-known films, by ``similar_items``, in all dimensions rather than two. Films
# with few ratings may be anywhere, so neighbours are looked for among the better known half.

counts = np.bincount(data.ratings.items, minlength=data.ratings.n_items)
popular = model.item_ids_[np.argsort(-counts, kind="stable")].tolist()
known = popular[: len(popular) // 2]
for item in popular[:8]:
    print(data.titles[item])
    for near, similarity in zip(*model.similar_items(item, 3, candidates=known), strict=True):
        print(f"  {similarity:.2f}  {data.titles[near.item()]}")

# %%
# Labels go to the forty films rated most. On MovieLens the first direction parts action and
# disaster films from critics' favourites, the second those that many have rated from those that few
# have: a code of few ratings is near that of none. Nobody told the model about genres.

figure, ax = plt.subplots(figsize=(9, 6.5), layout="constrained")
labels = {item: data.titles[item].rsplit(" (", 1)[0] for item in popular[:40]}
ItemMapDisplay.from_estimator(model, labels=labels, ax=ax, s=2 + counts / 12)
ax.spines[["top", "right"]].set_visible(False)
ax.set_title(f"{data.name}: {len(popular):,} items, dots grow with their ratings")
plt.show()
