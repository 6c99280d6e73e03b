"""Lists for all users, in batches written to a parquet file: seconds and peak memory.

1,000,000 users x 2,000 items with 5,000,000 ratings, 16 hidden units. What is kept at a time is one
batch of lists, so that memory depends on the model and the batch, not on how many lists there are.
"""

import argparse
import tempfile
from pathlib import Path

import pyarrow
import pyarrow.parquet
import torch
from data import machine, peak, step

from skautorec import AutoRecRegressor
from skautorec.datasets import make_ratings


def write_lists(model, path, n=10, size=20_000, **options):
    """Write a list for each user of a fitted model; return the number of rows."""
    users, writer, n_rows = model.user_ids_, None, 0
    for start in range(0, len(users), size):
        lists = model.recommend(users[start : start + size], n=n, as_frame=True, **options)
        table = pyarrow.Table.from_pandas(lists, preserve_index=False)
        if writer is None:
            writer = pyarrow.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)
        n_rows += len(lists)
    writer.close()
    return n_rows


def main():
    """Print seconds and peak memory after each step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the users")
    parser.add_argument("--size", type=int, default=20_000, help="users of a batch")
    options = parser.parse_args()
    torch.set_num_threads(1)
    scale = 100 if options.quick else 1
    n_users, n_items, n_ratings = 1_000_000 // scale, 2_000, 5_000_000 // scale
    print(machine())
    print(f"{n_users:,} users x {n_items:,} items, {n_ratings:,} ratings, 16 hidden units")
    print(f"batches of {options.size:,} users\n")
    print(f"| step | seconds | peak GB |\n|---|---|---|\n| libraries | | {peak() / 1e9:.2f} |")
    ratings = step(
        "make ratings", lambda: make_ratings(n_users, n_items, n_ratings, random_state=0)
    )
    model = AutoRecRegressor(16, max_iter=5, random_state=0)
    step("fit, 5 epochs", lambda: model.fit(ratings))
    step("exposure, and the first list", lambda: model.recommend(model.user_ids_[0]))
    with tempfile.TemporaryDirectory() as folder:
        for rank_by in ("rating", "relevance"):
            path = Path(folder) / f"{rank_by}.parquet"
            n_rows = step(
                f"lists of all users by {rank_by}",
                lambda path=path, by=rank_by: write_lists(
                    model, path, size=options.size, rank_by=by
                ),
            )
            print(f"\n{n_rows:,} rows, {path.stat().st_size / 1e6:.0f} MB\n", flush=True)


if __name__ == "__main__":
    main()
