"""
Choose the hidden units and the penalty
=======================================

:obj:`~sklearn.model_selection.GridSearchCV` takes :class:`~skautorec.Ratings` as it takes any table
of samples: it hides ratings, and predicts them from the others. Here it compares widths of the
hidden layer and strengths of the penalty on one split, to be quick; use ``KFold(5, shuffle=True)``
for a choice that matters. What matters more, the penalty of the decoder and the number of epochs,
every fit chooses by itself.
"""

import matplotlib.pyplot as plt
from skautorec import AutoRecRegressor
from skautorec.datasets import fetch_movielens, make_ratings
from sklearn.model_selection import GridSearchCV, ShuffleSplit, train_test_split

try:
    ratings = fetch_movielens("100k").ratings
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
train, test = train_test_split(ratings, test_size=0.1, random_state=0)
units, penalties = [50, 200], [25, 100, 400]
search = GridSearchCV(
    AutoRecRegressor(random_state=0),
    {"hidden_units": units, "lambd": penalties},
    cv=ShuffleSplit(1, test_size=0.2, random_state=0),
    scoring="neg_root_mean_squared_error",
    error_score="raise",
).fit(train, train.values)
print(
    f"Best: {search.best_params_}, RMSE {-search.best_score_:.4f} on the hidden ratings"
)
print(
    f"Fitted to all training ratings, RMSE {-search.score(test, test.values):.4f} on the test set"
)

# %%
# The last parameter varies fastest in ``cv_results_``. Over a sixteenfold range of penalties errors
# differ by little more than a percent.

errors = -search.cv_results_["mean_test_score"].reshape(
    len(units), len(penalties)
)
figure, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
image = ax.imshow(errors, cmap="cividis_r", aspect="auto")
for row in range(len(units)):
    for column in range(len(penalties)):
        value = errors[row, column]
        is_best = value == errors.min()
        ax.text(
            column,
            row,
            f"{value:.3f}" + ("\nbest" if is_best else ""),
            ha="center",
            va="center",
            color="white" if image.norm(value) > 0.5 else "black",
            weight="bold" if is_best else "normal",
        )
ax.set_xticks(range(len(penalties)), penalties)
ax.set_yticks(range(len(units)), units)
ax.spines[:].set_visible(False)
ax.tick_params(length=0)
ax.set(
    xlabel="Penalty lambd",
    ylabel="Hidden units",
    title="RMSE on hidden ratings (stars)",
)
figure.colorbar(image, label="RMSE (light is better)").outline.set_visible(
    False
)
plt.show()
