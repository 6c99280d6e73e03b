"""
How sure is a prediction
========================

``predict(..., return_std=True)`` gives a standard deviation with each rating. Two questions about
it: do intervals hold as many ratings as they should, and are the predictions it is less sure of
the ones with larger errors?
"""

import matplotlib.pyplot as plt
import numpy as np
from skautorec import AutoRecRegressor
from skautorec.datasets import fetch_movielens, make_ratings
from skautorec.plotting import ErrorByActivityDisplay, UncertaintyDisplay
from sklearn.model_selection import train_test_split

try:
    ratings = fetch_movielens("100k").ratings
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
train, test = train_test_split(ratings, test_size=0.2, random_state=0)
model = AutoRecRegressor(100, kind="both", random_state=0).fit(train)
predicted, std = model.predict(test, return_std=True)

# %%
# Left: the share of held-out ratings inside central intervals of every level. Right: ten groups of
# ratings by their predicted standard deviation, and the RMSE in each. The deviations
# tell certain from uncertain predictions; on films they understate by how much these differ.

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4.6), layout="constrained"
)
display = UncertaintyDisplay.from_predictions(
    test.values, predicted, std, name="both", ax=left
)
left.set_title("Coverage of intervals")
for level in (0.5, 0.9):
    share = display.coverage[np.isclose(display.levels, level)][0]
    print(
        f"{level:.0%} intervals hold {share:.1%} of {len(test):,} held-out ratings"
    )

groups = np.array_split(np.argsort(std), 10)
promised = [np.sqrt(np.mean(std[group] ** 2)) for group in groups]
found = [
    np.sqrt(np.mean((test.values - predicted)[group] ** 2)) for group in groups
]
print("predicted", np.round(promised, 3).tolist())
print("observed ", np.round(found, 3).tolist())
low, high = min(promised + found) - 0.02, max(promised + found) + 0.02
right.plot([low, high], [low, high], ":", color="0.4")
right.plot(promised, found, "o", color="C0")
right.set(
    aspect="equal",
    xlim=(low, high),
    ylim=(low, high),
    xlabel="Predicted standard deviation (stars)",
    ylabel="RMSE (stars)",
    title="Ten groups by predicted deviation",
)
plt.show()

# %%
# On the whole errors are smaller for users of whom the model knows more.

figure, ax = plt.subplots(figsize=(6, 4.2), layout="constrained")
ErrorByActivityDisplay.from_estimator(model, test, n_bins=6, name="both", ax=ax)
ax.get_legend().remove()
ax.set_title("Error by activity of the user")
plt.show()
