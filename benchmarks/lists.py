"""What top-N lists find of the items that users go on to rate, ours against our peers.

Lists of twenty from all items that a user has not rated in the training part. NDCG@10 and recall@20
of hidden ratings that are liked (four stars or more of MovieLens, the upper two fifths of the
training ratings of other sets), and of all; the share of the items that is in any list; seconds of
fit and of the lists, and the peak memory of the process, tuning included. The test part is a random
tenth of the ratings (seed 5, ML-1M 11), or with ``--split time`` the last tenth by time; users and
items that the training part does not know are left out. A tenth of the training part, drawn or the
last, is the validation part that each peer is tuned on; ours has the defaults, kind="both" and
random_state=0. Each model runs in a process of its own; see list_fits.py for the settings.

Peers live in environments of their own, in one folder, which ``make peers`` builds:

    implicit   pip install implicit
    lenskit    pip install lenskit                           (Python 3.12.5 or newer)
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from data import COLUMNS, FILES, folder, load, machine, random_split
from list_fits import MODELS

from skautorec import Ratings

HERE = Path(__file__).parent
SEEDS = {"ml-100k": 5, "ml-1m": 11, "movietweetings": 5, "anime": 5, "books": 5}
TITLES = {
    "ml-100k": "MovieLens 100K",
    "ml-1m": "MovieLens 1M",
    "movietweetings": "MovieTweetings",
    "anime": "anime",
    "books": "books",
}
TIMED = ["ml-100k", "movietweetings"]
ENVIRONMENTS = {
    "implicit ALS": "implicit",
    "implicit BPR": "implicit",
    "LensKit item kNN": "lenskit",
}
FIGURES = ["ndcg liked", "recall liked", "ndcg", "recall", "coverage"]


def time_split(ratings):
    """All ratings but the last tenth, and these."""
    order = np.argsort(ratings.timestamps, kind="stable")
    cut = len(ratings) - len(ratings) // 10
    return ratings[order[:cut]], ratings[order[cut:]]


def parts_of(name, split):
    """Training and test part, and the two parts of the training part for tuning."""
    if split == "random":
        train, test = random_split(load(name), SEEDS[name])
        return train, test, *random_split(train, 1000 + SEEDS[name])
    file, options = FILES[name]
    frame = pd.read_csv(folder() / file, **options)
    ratings = Ratings.from_frame(frame, timestamp="time", **COLUMNS)
    train, test = time_split(ratings)
    return train, test, *time_split(train)


def write(path, name, split):
    """Codes and values of the parts, of the users and items that each training part knows."""
    train, test, fit, validation = parts_of(name, split)
    arrays = {"shape": np.array([train.n_users, train.n_items])}
    for part, ratings, known in (
        ("train", train, train),
        ("test", test, train),
        ("fit", fit, fit),
        ("validation", validation, fit),
    ):
        is_known = np.isin(ratings.users, known.users) & np.isin(ratings.items, known.items)
        for column in ("users", "items", "values"):
            arrays[f"{part}_{column}"] = getattr(ratings, column)[is_known]
    is_stars = name.startswith("ml-")
    arrays["least"] = 4.0 if is_stars else np.quantile(train.values, 0.6)
    np.savez(path, **arrays)


def python_of(model, environments):
    """Interpreter that a model runs in; None where there is none."""
    if model not in ENVIRONMENTS:
        return sys.executable
    python = environments / ENVIRONMENTS[model] / "bin" / "python"
    return python if python.exists() else None


def row(name, split, model, found):
    """One row of the table."""
    settings = found["setting"] if found["tried"] > 1 else {}
    setting = ", ".join(f"{key} {value}" for key, value in settings.items())
    figures = " | ".join(f"{found[figure]:.4f}" for figure in FIGURES)
    costs = f"{found['fit s']:.1f} | {found['lists s']:.2f} | {found['MB']:.0f}"
    return f"| {name}, {split} | {model} | {setting} | {found['tried']} | {figures} | {costs} |"


def read_tables(paths):
    """NDCG of liked items by set and model, of the random split, from printed tables."""
    found = {}
    for path in paths:
        for line in path.read_text().splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if cells[0].endswith(", random"):
                found[cells[0].removesuffix(", random"), cells[1]] = float(cells[4])
    return found


def draw(found, path):
    """Bars of every set, ours last and in colour."""
    import matplotlib.pyplot as plt

    models = [model for model in MODELS if model != "skautorec, by rating"]
    names = [name for name in SEEDS if (name, models[-1]) in found]
    width = 0.8 / len(models)
    figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
    for place, model in enumerate(models):
        ours = model == models[-1]
        color = "C3" if ours else str(0.85 - 0.6 * place / (len(models) - 1))
        where = np.arange(len(names)) + (place - (len(models) - 1) / 2) * width
        heights = [found.get((name, model), np.nan) for name in names]
        bars = axes.bar(where, heights, width, color=color, label=model)
        if ours:
            axes.bar_label(bars, fmt="%.3f", color=color, weight="bold", fontsize=9, padding=2)
    axes.set_xticks(np.arange(len(names)), [TITLES[name] for name in names])
    axes.set(ylabel="NDCG@10 of liked items", title="Lists from all unrated items")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=6, frameon=False, fontsize=9)
    figure.savefig(path, dpi=150)


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=list(SEEDS))
    parser.add_argument("--split", choices=["random", "time"], default="random")
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS))
    parser.add_argument("--environments", type=Path, default=HERE.parent / ".venv-peers")
    parser.add_argument("--quick", action="store_true", help="ours on ML-100K, ten epochs")
    parser.add_argument("--figure", type=Path, help="only draw, to this file, what was printed")
    parser.add_argument("--tables", type=Path, nargs="+", help="files of printed tables to draw")
    options = parser.parse_args()
    if options.figure:
        draw(read_tables(options.tables), options.figure)
        return
    names = [name for name in options.sets if options.split == "random" or name in TIMED]
    models, extra = options.models, []
    if options.quick:
        names, models, extra = ["ml-100k"], ["popularity", "skautorec"], ["--epochs", "10"]
    print(machine(), "\n")
    heads = ["set", "model", "setting", "tried", *FIGURES, "fit s", "lists s", "MB"]
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}", flush=True)
    for name in names:
        with tempfile.TemporaryDirectory() as temporary:
            data = Path(temporary) / "parts.npz"
            write(data, name, options.split)
            for model in models:
                python = python_of(model, options.environments)
                if python is None:
                    print(f"| {name} | {model} | no environment |", flush=True)
                    continue
                command = [python, HERE / "list_fits.py", model, data, *extra]
                # implicit has threads of its own, and asks for this.
                single = {"OPENBLAS_NUM_THREADS": "1"} if "implicit" in model else {}
                done = subprocess.run(
                    command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | single
                )
                found = json.loads(done.stdout.splitlines()[-1])
                print(row(name, options.split, model, found), flush=True)


if __name__ == "__main__":
    main()
