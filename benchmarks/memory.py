"""Peak memory of fit, fold-in and recommend on a matrix that would be huge if it were dense.

200,000 users x 50,000 items with 2,000,000 ratings: 40 GB as a dense float32 matrix.
"""

import argparse

from data import machine, peak, step

from skautorec import AutoRecRegressor
from skautorec.datasets import make_ratings

LIMIT = 3.0


def main():
    """Print peak memory after each step; exit with an error above the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    scale = 10 if parser.parse_args().quick else 1
    n_users, n_items, n_ratings = 200_000 // scale, 50_000 // scale, 2_000_000 // scale
    print(machine())
    print(f"{n_users:,} users x {n_items:,} items, {n_ratings:,} ratings, 64 hidden units\n")
    print(f"| step | seconds | peak GB |\n|---|---|---|\n| libraries | | {peak() / 1e9:.2f} |")
    ratings = step(
        "make ratings", lambda: make_ratings(n_users, n_items, n_ratings, random_state=0)
    )
    model = AutoRecRegressor(64, max_iter=10, random_state=0)
    step("fit, 10 epochs", lambda: model.fit(ratings))
    R = ratings.to_matrix()
    everyone = ratings.user_ids
    step("lists of all users by rating", lambda: model.recommend(everyone, rank_by="rating"))
    step("exposure, and the first list by relevance", lambda: model.recommend(everyone[0]))
    step("fold in 1,000 new users, lists by relevance", lambda: model.recommend(R[:1000]))
    if peak() > LIMIT * 1e9:
        raise SystemExit(f"Peak memory {peak() / 1e9:.2f} GB is above {LIMIT} GB.")


if __name__ == "__main__":
    main()
