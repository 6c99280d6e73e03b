"""
New users, by how many ratings they give
========================================

A model fitted without them predicts for new users from the ratings they bring, without retraining.
How good is it after one rating, after ten? Users are left out of training; some of their ratings
stay hidden, the same ones all along, and are predicted from ever more of the others. Beside it is
the same with user and item biases only. The data are MovieLens 100K where it is at hand, else
synthetic ratings.
"""

import matplotlib.pyplot as plt
import numpy as np
from _data import load
from sklearn.metrics import root_mean_squared_error

from skautorec import AutoRecRegressor, Ratings

SIZES = [0, 1, 2, 5, 10, 20, 50]
data = load()
R = data.ratings.to_matrix()
rng = np.random.default_rng(0)

# Users with enough ratings to give 50 and to hide ten.
active = np.flatnonzero(np.diff(R.indptr) >= SIZES[-1] + 10)
newcomers = rng.choice(active, 150, replace=False)
others = np.setdiff1d(np.arange(R.shape[0]), newcomers)

# %%
# The ratings of each new user in random order: the first ``n`` are given, those from the 50th on
# hidden.

table = Ratings.from_matrix(R[newcomers])
shuffled = np.lexsort((rng.random(len(table)), table.users))
rank = np.empty(len(table), dtype=int)
rank[shuffled] = np.arange(len(table)) - np.searchsorted(table.users, table.users)
hidden = table[rank >= SIZES[-1]]
print(f"{len(newcomers)} new users, {len(hidden):,} hidden ratings")

models = {
    "AutoRec": AutoRecRegressor(random_state=0),
    "user and item biases": AutoRecRegressor(10, lambd=1e7, max_iter=5, random_state=0),
}
errors = {}
for name, model in models.items():
    model.fit(R[others])
    errors[name] = []
    for size in SIZES:
        predicted = model.predict(table[rank < size].to_matrix())[hidden.users, hidden.items]
        errors[name].append(root_mean_squared_error(hidden.values, predicted))
    print(f"{name}: {np.round(errors[name], 3).tolist()}")

# %%
# The first ratings say how generous a user is, which biases use as well; what they say about
# tastes is the growing distance of the two lines.

plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
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
    title=f"{data.name}: {len(newcomers)} users not in the training data",
)
plt.show()
