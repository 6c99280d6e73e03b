"""Time to quality: RMSE on held-out ratings against seconds of fit, for us and for our peers.

Each model is fitted once, in a process of its own, one after the other, on the first split of a
set. A peer lives in a virtual environment of its own, in one folder; ``make peers`` builds them in
``.venv-peers``:

    cmfrec     pip install cython numpy scipy pandas setuptools wheel findblas threadpoolctl
               pip install --no-build-isolation cmfrec
    cornac     pip install torch cornac
    lenskit    pip install lenskit                           (Python 3.12.5 or newer)
    surprise   pip install "numpy<2" "pandas<3" scikit-surprise
    myfm       pip install myfm                              (tried with Python 3.13)

Ours are the defaults, and fewer units and epochs. Settings of peers were chosen on a tenth of the
training part of ML-1M, which ``--validate`` scores instead of the test ratings: those of cmfrec
among 20, cornac 24, LensKit 13 and Surprise 5 (which is slow); other sets are fitted with the same.
The ranks of myfm and the penalty of the dense loop are from an earlier search; the loop's 150
epochs were not searched.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from data import SETS, machine, random_split, rmse

from skautorec import AutoRecRegressor, Ratings

HERE = Path(__file__).parent
OURS = {
    "item, 50 units, 40 epochs": {"hidden_units": 50, "max_iter": 40},
    "item, 100 units, 40 epochs": {"hidden_units": 100, "max_iter": 40},
    "item": {},
    "both, 100 units, 40 epochs": {"hidden_units": 100, "max_iter": 40, "kind": "both"},
    "both": {"kind": "both"},
    "both, 3 estimators": {"kind": "both", "n_estimators": 3},
}
DENSE = {"dense torch loop": {"lambd": 200, "n_epochs": 150}}
CMFREC = {"k": 20, "lambda_": 13, "add_implicit_features": True}
CORNAC = {"k": 100, "lambda_reg": 0.06}
# Name: environment and settings.
PEERS = {
    "cmfrec, 10 rounds": ("cmfrec", CMFREC),
    "cmfrec, 30 rounds": ("cmfrec", CMFREC | {"niter": 30}),
    "cornac MF, 40 epochs": ("cornac", CORNAC | {"max_iter": 40, "learning_rate": 0.01}),
    "cornac MF, 100 epochs": ("cornac", CORNAC | {"max_iter": 100, "learning_rate": 0.005}),
    "LensKit BiasedMF": ("lenskit", {"embedding_size": 50, "regularization": 0.08}),
    "Surprise SVD": (
        "surprise",
        {"n_factors": 100, "n_epochs": 100, "lr_all": 0.005, "reg_all": 0.07},
    ),
    "myfm, rank 10": ("myfm", {"rank": 10, "samples": [10, 20, 30, 50, 70, 100]}),
    "myfm, rank 20": ("myfm", {"rank": 20, "samples": [30, 50, 70, 100, 150, 200]}),
}


def fit_ours(train, test, **parameters):
    """Seconds and RMSE of one of our models."""
    start = time.perf_counter()
    model = AutoRecRegressor(random_state=0, **parameters).fit(train)
    seconds = time.perf_counter() - start
    return seconds, rmse(test.values, model.predict(test))


def fit_dense(train, test, *, lambd, n_epochs, units=500):
    """Seconds and RMSE of the loop that everyone writes: batches of item rows, a mask, Adam."""
    torch.manual_seed(0)
    R = torch.tensor(train.to_matrix().T.toarray(), dtype=torch.float32)
    mask = (R > 0).float()
    encoder, decoder = torch.nn.Linear(R.shape[1], units), torch.nn.Linear(units, R.shape[1])
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    start = time.perf_counter()
    for _ in range(n_epochs):
        for rows in torch.randperm(len(R)).split(512):
            optimizer.zero_grad()
            errors = (decoder(torch.sigmoid(encoder(R[rows]))) - R[rows]) * mask[rows]
            penalty = encoder.weight.square().sum() + decoder.weight.square().sum()
            (errors.square().sum() + len(rows) / len(R) * lambd / 2 * penalty).backward()
            optimizer.step()
    seconds = time.perf_counter() - start
    with torch.no_grad():
        predicted = decoder(torch.sigmoid(encoder(R))).numpy()[test.items, test.users]
    # Without training ratings there is nothing to predict from: the middle of the scale.
    unseen = np.bincount(train.items, minlength=train.n_items)[test.items] == 0
    predicted = np.where(unseen, 3.0, predicted)
    bounds = train.values.min(), train.values.max()
    return seconds, rmse(test.values, np.clip(predicted, *bounds))


def write(path, train, test):
    """Save both parts where peers can read them."""
    columns = {"shape": np.array([train.n_users, train.n_items])}
    for part, ratings in (("train", train), ("test", test)):
        for column in ("users", "items", "values"):
            columns[f"{part}_{column}"] = getattr(ratings, column)
    np.savez(path, **columns)


def read(path):
    """Both parts of a saved file."""
    with np.load(path) as data:
        ids = [np.arange(n) for n in data["shape"]]
        return [
            Ratings(
                *(data[f"{part}_{column}"] for column in ("users", "items", "values")),
                user_ids=ids[0],
                item_ids=ids[1],
            )
            for part in ("train", "test")
        ]


def run_one(name, path):
    """Fit one model of ours, or the dense loop, in this process; print a line of JSON."""
    fit, parameters = (fit_dense, DENSE[name]) if name in DENSE else (fit_ours, OURS[name])
    seconds, error = fit(*read(path), **parameters)
    print(json.dumps({"suffix": "", "seconds": seconds, "rmse": error, "version": ""}))


def command(name, path, environments):
    """How to fit a model, or None where its environment is missing."""
    if name not in PEERS:
        return [sys.executable, __file__, "--one", name, path]
    peer, settings = PEERS[name]
    python = environments / peer / "bin" / "python"
    if not python.exists():
        return None
    return [str(python), str(HERE / "peer_fits.py"), peer, path, json.dumps(settings)]


def collect(names, path, environments):
    """Fit the models in turn and print a row for each result."""
    points, skipped = [], []
    print("| model | RMSE | fit s | version |\n|---|---|---|---|", flush=True)
    for name in names:
        call = command(name, path, environments)
        if call is None:
            skipped.append(name)
            print(f"| {name} | SKIPPED: no environment | | |", flush=True)
            continue
        run = subprocess.run(call, capture_output=True, text=True, check=False)
        if run.returncode:
            skipped.append(name)
            print(f"| {name} | FAILED | | |\n{run.stderr[-2000:]}", file=sys.stderr, flush=True)
            continue
        for line in filter(lambda line: line.startswith("{"), run.stdout.splitlines()):
            point = json.loads(line)
            point |= {"model": name, "ours": name in OURS}
            points.append(point)
            label = name + point["suffix"]
            cells = f"{point['rmse']:.4f} | {point['seconds']:.1f} | {point['version']}"
            print(f"| {label} | {cells} |", flush=True)
    return points, skipped


def beats(first, second):
    """Whether one point is both faster and more accurate than another."""
    return first["seconds"] < second["seconds"] and first["rmse"] < second["rmse"]


def report_beaten(points):
    """For each peer above 3 s, ours that is both faster and more accurate."""
    ours = [point for point in points if point["ours"]]
    slow = [point for point in points if not point["ours"] and point["seconds"] > 3]
    unbeaten = [
        point["model"] + point["suffix"]
        for point in slow
        if not any(beats(candidate, point) for candidate in ours)
    ]
    print(
        f"\n{len(slow) - len(unbeaten)} of {len(slow)} peer points above 3 s have one of ours that "
        "is faster and more accurate" + (f"; not {', '.join(unbeaten)}." if unbeaten else ".")
    )


def first_to(points, error):
    """The quickest of some points that reach an RMSE."""
    reached = (point for point in points if point["rmse"] <= error)
    return min(reached, key=lambda point: point["seconds"], default=None)


def report_share(what, first, second):
    """How long one point takes relative to another."""
    if first is None or second is None:
        print(f"{what}: not reached by {'ours' if first is None else 'myfm'}.")
        return
    share = first["seconds"] / second["seconds"]
    print(f"{what}: {first['seconds']:.1f} s of {second['seconds']:.1f} s, {share:.2f} of it.")


def report_myfm(points):
    """How long we take for the quality of the Bayesian factorisation machine."""
    item = [p for p in points if p["ours"] and p["model"].startswith("item")]
    both = [p for p in points if p["ours"] and p["model"].startswith("both")]
    theirs = [p for p in points if p["model"].startswith("myfm")]
    last = [p for p in theirs if p["suffix"] == ", 200 samples"]
    if last:
        error = last[0]["rmse"]
        what = f"kind='both' to the {error:.4f} of myfm's 200 samples"
        report_share(what, first_to(both, error), last[0])
    report_share(
        "Item kind to 0.831, myfm to 0.832", first_to(item, 0.831), first_to(theirs, 0.832)
    )


# What is one method with more of its rounds, samples or units, and so is joined.
SERIES = ["skautorec, item", "skautorec, both", "cmfrec", "myfm, rank 10", "myfm, rank 20"]
# Labels of points, and where: points to the right and upwards, of the label's nearer end.
LABELS = {
    "skautorec, item, 50 units, 40 epochs": ("item, 50 units, 40 epochs", -8, -3),
    "skautorec, item, 100 units, 40 epochs": ("item, 100 units, 40 epochs", -8, -3),
    "skautorec, item": ('skautorec, kind="item", defaults', -12, -3),
    "skautorec, both, 100 units, 40 epochs": ("both, 100 units, 40 epochs", -8, -3),
    "skautorec, both": ('skautorec, kind="both", defaults', -10, -12),
    "skautorec, both, 3 estimators": ("both, 3 estimators", 8, -3),
    "cmfrec, 10 rounds": ("cmfrec", -7, -3),
    "cornac MF, 40 epochs": ("cornac MF", -7, -3),
    "cornac MF, 100 epochs": ("cornac MF, 100 epochs", -2, -13),
    "LensKit BiasedMF": ("LensKit BiasedMF", -7, -3),
    "Surprise SVD": ("Surprise SVD", -7, -3),
    "dense torch loop": ("dense torch loop", -7, -3),
    "myfm, rank 10, 100 samples": ("myfm, rank 10", 7, 3),
    "myfm, rank 20, 200 samples": ("myfm, rank 20", 7, 3),
}


def draw(points, path, title):
    """One figure: ours with their settings and the defaults as stars, peers in grey."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8.4, 5.4), layout="constrained")
    places = {
        ("skautorec, " if point["ours"] else "") + point["model"] + point["suffix"]: (
            point["seconds"],
            point["rmse"],
        )
        for point in points
    }
    for series in SERIES:
        line = sorted(place for name, place in places.items() if name.startswith(series))
        axes.plot(*zip(*line, strict=True), color="C3" if "skautorec" in series else "0.7", lw=1.2)
    for name, place in places.items():
        is_default = name in ("skautorec, item", "skautorec, both")
        color = "C3" if name.startswith("skautorec") else "0.45"
        marker, size = ("*", 13) if is_default else ("o", 5)
        axes.plot(*place, marker, ms=size, color=color, zorder=3)
        text, right, up = LABELS.get(name, ("", 0, 0))
        axes.annotate(
            text,
            place,
            xytext=(right, up),
            textcoords="offset points",
            ha="left" if right > 0 else "right",
            color=color,
            weight="bold" if is_default else "normal",
            fontsize=9 if is_default else 8,
        )
    axes.set_xscale("log")
    axes.margins(x=0.2)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="seconds to fit", ylabel="RMSE on held-out ratings", title=title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=150)


def main():
    """Print the table, what it says and its JSON."""
    names = [*OURS, *DENSE, *PEERS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environments", type=Path, default=HERE.parent / ".venv-peers")
    parser.add_argument("--data", choices=SETS, default="ML-1M")
    parser.add_argument("--quick", action="store_true", help="ML-100K, without the slow ones")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="models with these in the name")
    parser.add_argument("--validate", action="store_true", help="score on validation ratings")
    parser.add_argument("--figure", type=Path, help="where to save the figure")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        run_one(*options.one)
        return
    if options.quick:
        options.data = "ML-100K u1"
        names = [n for n in names if n not in ("dense torch loop", "myfm, rank 20")]
    if options.only:
        names = [name for name in names if any(part in name for part in options.only)]
    train, test = SETS[options.data]()[0]
    if options.validate:
        train, test = random_split(train, 1)
    print(f"{machine()}; {options.data}, first split, {len(train)} training ratings\n")
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "ratings.npz")
        write(path, train, test)
        points, skipped = collect(names, path, options.environments)
    if skipped:
        print(f"\nNOT MEASURED: {', '.join(skipped)}", flush=True)
    report_beaten(points)
    report_myfm(points)
    if options.figure:
        draw(points, options.figure, f"{options.data}, {torch.get_num_threads()} CPU threads")
    print(json.dumps({"points": points, "skipped": skipped}))


if __name__ == "__main__":
    main()
