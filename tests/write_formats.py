"""Write the files of the present format, and what is read from them, into ``tests/formats``.

Run by hand when the format changes and before a release; CONTRIBUTING.md says how.
"""

import hashlib
import json
import uuid
from pathlib import Path

import numpy as np
import pandas as pd
from conftest import with_nan

from skautorec import AutoRecRegressor, Ratings
from skautorec._files.archive import VERSION
from skautorec.baselines import BiasRegressor, PopularityRecommender
from skautorec.datasets import make_ratings

FORMATS = Path(__file__).parent / "formats"
# The format that each release writes, and the digest of its folder, which never changes again.
RELEASED: dict[str, tuple[int, str]] = {}


def make_models():
    """Fitted estimators which between them hold what a file can hold, by the names of files."""
    table = make_ratings(10, 8, 40, random_state=0)
    cells = table.users, table.items, table.values
    of_words = Ratings(
        *cells, weights=np.where(table.users % 3, 1, 0.5),
        user_ids=[f"u{i}" for i in range(10)], item_ids=[(i, str(i)) for i in range(8)],
    )  # fmt: skip
    of_days = Ratings(
        *cells, user_ids=[uuid.UUID(int=i) for i in range(10)],
        item_ids=np.datetime64("2026-01-01") + np.arange(8),
    )  # fmt: skip
    new = Ratings([0, 1], [0, 1], [2, 5], user_ids=["new", "u1"], item_ids=[(0, "0"), (9,)])
    frame = pd.DataFrame(with_nan(table), columns=[f"film {i}" for i in range(8)])
    quick = {"lambd": 10.0, "max_iter": 3, "random_state": 0}
    both = AutoRecRegressor((4, 3), kind="both", n_estimators=2, **quick).fit(of_words)
    return {
        "both": both.update(new),
        "item": AutoRecRegressor(4, kind="item", **quick).fit(frame.iloc[:, :5], frame.iloc[:, 5:]),
        "user": AutoRecRegressor(np.array([4]), kind="user", **quick).fit(of_days),
        "biases": BiasRegressor((2, np.inf)).fit(frame.iloc[:, :7], frame.iloc[:, 7]),
        "popularity": PopularityRecommender().fit(of_words),
    }


def answers(model):
    """What is read from a fitted estimator about users known and new, before and after an update.

    Returns
    -------
    answers : dict of str to dict
        Of each kind of question, numbers by what they are about.
    """
    users = model.user_ids_.tolist()
    few = dict(zip(model.item_ids_, (1, 5, 3), strict=False))
    said = {"known users": lists(model, users), "a new user": lists(model, [few])}
    if isinstance(model, AutoRecRegressor) and not model._fitted.has_targets:
        said["by rating"] = lists(model, users, rank_by="rating")
        if model.kind != "user":
            base, items, parts = model.explain(users[1], model.item_ids_[0], n=None)
            said["reasons"] = {"base": base} | dict(zip(map(str, items), parts, strict=True))
        pairs = Ratings([0], [0], [4], user_ids=users[-1:], item_ids=model.item_ids_[:1])
        said["after an update"] = lists(model.update(pairs), users)
    return said


def lists(model, users, **asked):
    """Scores and standard deviations of all items that are listed for users."""
    frame = model.recommend(users, n=100, return_std=True, as_frame=True, **asked)
    rows = zip(frame["user"], frame["item"], frame["score"], frame["std"], strict=True)
    return {f"{user}: {item}": [score, std] for user, item, score, std in rows}


def digest(version):
    """Digest of the files of a format."""
    whole = hashlib.sha256()
    for path in sorted((FORMATS / str(version)).iterdir()):
        whole.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def main():
    if VERSION in dict(RELEASED.values()):
        raise SystemExit(f"Format {VERSION} was released: raise VERSION in _files/archive.py.")
    folder = FORMATS / str(VERSION)
    folder.mkdir(parents=True, exist_ok=True)
    said = {}
    for name, model in make_models().items():
        model.save(folder / f"{name}.npz")
        said[name] = answers(model)
    lines = [f"{json.dumps(name)}: {json.dumps(said[name])}" for name in said]
    (folder / "answers.json").write_bytes(("{\n" + ",\n".join(lines) + "\n}\n").encode())
    print(f"{(VERSION, digest(VERSION))}")


if __name__ == "__main__":  # pytest imports every file here to look for doctests
    main()
