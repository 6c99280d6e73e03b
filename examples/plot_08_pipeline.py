"""
From a data frame to recommendations, in a Pipeline
===================================================

Ratings often come as a data frame with string ids. A step that reads it into
:class:`~skautorec.Ratings` makes a :obj:`~sklearn.pipeline.Pipeline` of it, which cross-validates
on rows of the frame and, once fitted, recommends in the frame's own ids: here titles of films.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from skautorec import AutoRecRegressor, Ratings
from skautorec.datasets import fetch_movielens, make_ratings
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

try:
    movielens = fetch_movielens("100k")
    ratings, titles = movielens.ratings, movielens.titles
except OSError as error:
    print(f"{error}\nGoing on with made ratings.")
    ratings = make_ratings(943, 1682, 100_000, random_state=0)
    titles = {item: f"Film {item}" for item in ratings.item_ids.tolist()}
table = ratings.to_frame()
frame = pd.DataFrame(
    {
        "who": "user-" + table["user_id"].astype(str),
        "film": table["item_id"].map(titles),
        "stars": table["rating"],
    }
).drop_duplicates(["who", "film"])  # MovieLens has some films under two ids
print(frame.head())

# %%
# Rows are samples, so scikit-learn can split them. Each training part is read anew; test rows with
# a film or a person that it lacks get the prior.

pipeline = make_pipeline(
    FunctionTransformer(
        Ratings.from_frame,
        kw_args={"user": "who", "item": "film", "rating": "stars"},
    ),
    AutoRecRegressor(100, random_state=0),
)
scores = cross_val_score(
    pipeline,
    frame,
    frame["stars"],
    cv=KFold(3, shuffle=True, random_state=0),
    scoring="neg_root_mean_squared_error",
    error_score="raise",
)
print(f"RMSE in three folds: {np.round(-scores, 3).tolist()}")

# %%
# The last step knows the ids of the frame. Ranked by rating, scores are predicted ratings.

model = pipeline.fit(frame)[-1]
who = frame["who"].iloc[0]
films, stars, std = model.recommend(
    who, n=10, rank_by="rating", return_std=True
)
print(
    pd.DataFrame({"film": films, "stars": stars, "std": std})
    .round(2)
    .to_string(index=False)
)

# %%
# The bars are 50 % intervals of the rating itself, noise included: about half of such ratings will
# be outside, and the scores of a list differ by far less than single ratings do.

figure, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
where = np.arange(len(films))[::-1]
ax.errorbar(stars, where, xerr=0.6745 * std, fmt="o", color="C0", ecolor="0.7")
for height, score in zip(where, stars, strict=True):
    ax.annotate(
        f"{score:.2f}",
        (score, height),
        xytext=(0, 5),
        textcoords="offset points",
        ha="center",
        fontsize="small",
        color="C0",
    )
ax.axvline(5, color="0.4", linestyle=":")
ax.annotate(
    "highest rating",
    (5, -0.85),
    xytext=(-4, 0),
    textcoords="offset points",
    ha="right",
)
ax.set_yticks(where, films)
ax.tick_params(axis="y", length=0)
ax.set(
    ylim=(-1, len(films) - 0.3),
    xlabel="Predicted rating (stars, not clipped to 5) and 50 % interval",
    title=f"For {who}",
)
plt.show()
