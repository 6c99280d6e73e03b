"""
Searching on ratings, or on a matrix of users
=============================================

:obj:`~sklearn.model_selection.GridSearchCV` on :class:`~skautorec.Ratings` hides ratings of users
whom the model knows. On a matrix, where a row is a user, it holds out whole users: ``score`` hides
a fifth of their ratings and predicts them from the rest, without the user's row ever having been
trained on. Both are honest; they ask for known and for new users.
"""

import matplotlib.pyplot as plt
import numpy as np
from skautorec import AutoRecRegressor
from skautorec.datasets import fetch_movielens, make_ratings
from sklearn.model_selection import GridSearchCV, KFold

try:
    ratings = fetch_movielens("100k").ratings
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
penalties = [25, 100, 400]
folds = KFold(3, shuffle=True, random_state=0)
search = GridSearchCV(
    AutoRecRegressor(30, random_state=0),
    {"lambd": penalties},
    cv=folds,
    error_score="raise",
)
on_ratings = search.fit(ratings, ratings.values).cv_results_
on_matrix = search.fit(ratings.to_matrix()).cv_results_

# %%
# Without ``scoring`` both are scored by R^2, the convention of scikit-learn's regressors. Bars are
# the lowest and the highest of three folds: folds of users differ more than folds of ratings.

figure, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
for name, results, marker, shift in (
    ("Ratings: known users,\nhidden ratings", on_ratings, "o", 0.97),
    (
        "matrix: new users, given\nfour fifths of their ratings",
        on_matrix,
        "s",
        1.03,
    ),
):
    scores = np.array([results[f"split{fold}_test_score"] for fold in range(3)])
    mean = scores.mean(axis=0)
    where = shift * np.array(penalties)  # so that no bar hides another
    bars = ax.errorbar(
        where,
        mean,
        (mean - scores.min(axis=0), scores.max(axis=0) - mean),
        marker=marker,
        capsize=3,
        label=name,
    )
    color = bars.lines[0].get_color()
    best = int(np.argmax(mean))
    ax.plot(
        where[best],
        mean[best],
        "o",
        markersize=14,
        fillstyle="none",
        color=color,
    )
    heading = name.split(":")[0]
    print(
        f"{heading}: best lambd {penalties[best]}, R^2 {np.round(mean, 4).tolist()}"
    )
ax.set_xscale("log")
ax.set_xticks(penalties, penalties)
ax.minorticks_off()
ax.set(
    xlabel="Penalty lambd (best circled)",
    ylabel="R$^2$",
    title="Three folds, 30 hidden units",
)
ax.legend(frameon=False, loc="lower left")
plt.show()
