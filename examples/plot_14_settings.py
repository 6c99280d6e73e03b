"""
Which setting for which data
============================

Which side to encode, and how wide the hidden layer should be, depends on the shape of the table.
Four tables are made of one: all of it, one with few ratings for each user, one of few users, one of
few items. On each, settings are compared by how much of the biases' error they take away.
"""

import matplotlib.pyplot as plt
import numpy as np
from skautorec import AutoRecRegressor
from skautorec.baselines import BiasRegressor
from skautorec.datasets import fetch_movielens, make_ratings
from sklearn.model_selection import ShuffleSplit, cross_val_score

try:
    ratings = fetch_movielens("100k").ratings
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)

rng = np.random.default_rng(0)
best_known = np.argsort(-np.bincount(ratings.items), kind="stable")[:150]
some_users = rng.choice(ratings.n_users, 150, replace=False)
tables = {
    "all": ratings,
    "a quarter of\nthe ratings": ratings[rng.random(len(ratings)) < 0.25],
    "150 users": ratings[np.isin(ratings.users, some_users)],
    "150 items": ratings[np.isin(ratings.items, best_known)],
}
settings = {
    "item, 50 units": {"kind": "item", "hidden_units": 50},
    "item, 200 units": {"kind": "item", "hidden_units": 200},
    "user, 50 units": {"kind": "user", "hidden_units": 50},
    "both, 50 units": {"kind": "both", "hidden_units": 50},
    "item, 50 units, mean of 3": {
        "kind": "item",
        "hidden_units": 50,
        "n_estimators": 3,
    },
}


def error_of(model, table):
    scores = cross_val_score(
        model,
        table,
        table.values,
        cv=ShuffleSplit(1, test_size=0.1, random_state=0),
        scoring="neg_root_mean_squared_error",
        error_score="raise",
    )
    return -scores.mean()


gains = np.zeros((len(settings), len(tables)))
for column, table in enumerate(tables.values()):
    biases = error_of(BiasRegressor(), table)
    for row, setting in enumerate(settings.values()):
        error = error_of(AutoRecRegressor(**setting, random_state=0), table)
        gains[row, column] = 100 * (1 - error / biases)

# %%
# In each column the best is bold. One split is behind a column, so differences of a few tenths of a
# percent are chance. What is not: encoding users needs many ratings of each, and the mean of
# several networks is never worse. Width matters least.

figure, ax = plt.subplots(figsize=(7.4, 4.2), layout="constrained")
image = ax.imshow(gains, cmap="cividis", aspect="auto")
for row, column in np.ndindex(gains.shape):
    gain = gains[row, column]
    ax.text(
        column,
        row,
        f"{gain:.1f} %",
        ha="center",
        va="center",
        color="black" if image.norm(gain) > 0.5 else "white",
        weight="bold" if gain == gains[:, column].max() else "normal",
    )
ax.set_xticks(
    range(len(tables)),
    [f"{name}\n({len(table):,})" for name, table in tables.items()],
)
ax.set_yticks(range(len(settings)), settings)
ax.spines[:].set_visible(False)
ax.tick_params(length=0)
ax.set(xlabel="Table (ratings)", title="RMSE below that of biases")
plt.show()
