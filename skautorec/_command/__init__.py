"""What ``python -m skautorec`` does: fit, evaluate, recommend, predict, update."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, ShuffleSplit, cross_validate

from .._data.ratings import Ratings
from .._estimator import AutoRecRegressor
from .._versions import __version__
from ..baselines import BiasRegressor, PopularityRecommender
from ..model_selection import make_top_n_scorer
from . import tables

__all__ = ["main"]

# Users whose lists are made at a time.
_BLOCK = 10_000
_EXPECTED = (ValueError, TypeError, KeyError, OSError, ImportError, MemoryError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Those of the command line; None takes them from there.

    Returns
    -------
    int
        0, or 1 after an error, which is told on the standard error output.
    """
    given = _parser().parse_args(arguments)
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            given.run(given)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read it has enough. Python would complain when it closes the output.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except KeyboardInterrupt:
            return 130
        except _EXPECTED as error:
            message = error.args[0] if isinstance(error, KeyError) else error
            print(f"skautorec: error: {message}", file=sys.stderr)
            return 1
    return 0


def _show_warning(message: Any, *args: Any, **kwargs: Any) -> None:
    print(f"skautorec: warning: {message}", file=sys.stderr)


def _say(what: str) -> None:
    print(what, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skautorec",
        description="Predict ratings and recommend, from tables in files.",
        epilog="skautorec COMMAND --help says more.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (_add_fit, _add_evaluate, _add_recommend, _add_predict, _add_update):
        add(commands)
    return parser


def _new(commands: Any, name: str, run: Any, what: str, example: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=what,
        description=f"{what[0].upper()}{what[1:]}.",
        epilog=f"for example: skautorec {example}",
    )
    parser.set_defaults(run=run)
    return parser


def _add_table(parser: argparse.ArgumentParser, *, needs_rating: bool = True) -> None:
    """Add what says how a table is read."""
    columns = parser.add_argument_group("table")
    columns.add_argument("--user", required=True, metavar="COLUMN", help="column of user ids")
    columns.add_argument("--item", required=True, metavar="COLUMN", help="column of item ids")
    if needs_rating:
        columns.add_argument("--rating", required=True, metavar="COLUMN", help="column of ratings")
        columns.add_argument("--weight", metavar="COLUMN", help="column of weights of ratings")
        columns.add_argument(
            "--duplicates",
            choices=["error", "mean", "last"],
            default="error",
            help="what to make of a user's second rating of an item (default: %(default)s)",
        )
        columns.add_argument(
            "--missing-values",
            type=float,
            nargs="+",
            metavar="NUMBER",
            help="ratings that stand for none, as 0 or 99 do in some tables",
        )
    columns.add_argument(
        "--sep", help='between columns, "tab" for a tab (default: tab in .tsv, comma else)'
    )
    columns.add_argument(
        "--no-header",
        action="store_true",
        help="the first line is a row like the others; columns are named by number, from 1",
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    """Add the parameters of the model."""
    model = parser.add_argument_group("model")
    defaults = AutoRecRegressor().get_params()
    model.add_argument(
        "--kind",
        choices=["item", "user", "both"],
        default=defaults["kind"],
        help="side that is encoded; both is the most accurate and takes twice as long "
        "(default: %(default)s)",
    )
    model.add_argument(
        "--hidden-units",
        type=int,
        default=defaults["hidden_units"],
        help="width of the hidden layer (default: %(default)s)",
    )
    model.add_argument(
        "--lambd",
        type=float,
        default=defaults["lambd"],
        help="penalty of the network's weights (default: %(default)s)",
    )
    model.add_argument(
        "--n-estimators",
        type=int,
        default=defaults["n_estimators"],
        help="networks to average (default: %(default)s)",
    )
    model.add_argument(
        "--max-iter",
        type=int,
        default=defaults["max_iter"],
        help="most epochs of a network (default: %(default)s)",
    )
    model.add_argument(
        "--random-state", type=int, default=0, help="seed of everything (default: %(default)s)"
    )
    model.add_argument(
        "--device", default=defaults["device"], help="of the training (default: %(default)s)"
    )
    model.add_argument("-v", "--verbose", action="count", default=0, help="say how a fit goes")


def _read_table(given: Any, *, like: AutoRecRegressor | None = None) -> Ratings:
    """Ratings of the file, or its pairs where no column of ratings is named."""
    rating, weight = getattr(given, "rating", None), getattr(given, "weight", None)
    frame = tables.read(
        given.table,
        [given.user, given.item],
        [rating, weight],
        separator="\t" if given.sep == "tab" else given.sep,
        has_header=not given.no_header,
    )
    known = (None, None) if like is None else (like.user_ids_, like.item_ids_)
    for column, ids in zip((given.user, given.item), known, strict=True):
        frame[column] = tables.as_ids(frame[column], ids)
    return Ratings.from_frame(
        frame,
        user=given.user,
        item=given.item,
        rating=rating,
        weight=weight,
        duplicates=getattr(given, "duplicates", "error"),
        missing_values=getattr(given, "missing_values", None),
    )


def _model(given: Any, **others: Any) -> AutoRecRegressor:
    names = ("kind", "hidden_units", "lambd", "n_estimators", "max_iter", "random_state", "device")
    chosen = {name: getattr(given, name) for name in (*names, "verbose")}
    return AutoRecRegressor(**(chosen | others))


def _add_fit(commands: Any) -> None:
    parser = _new(
        commands,
        "fit",
        _fit,
        "fit a model to a table of ratings",
        "fit ratings.csv --user user_id --item movie_id --rating stars -o model.npz",
    )
    parser.add_argument("table", help="csv, tsv or parquet; may be compressed; - is the input")
    parser.add_argument("-o", "--output", required=True, metavar="MODEL", help="file of the model")
    parser.add_argument(
        "--checkpoint", metavar="FOLDER", help="where a fit that is cut short keeps its state"
    )
    _add_table(parser)
    _add_model(parser)


def _fit(given: Any) -> None:
    ratings = _read_table(given)
    _say(str(ratings))
    with redirect_stdout(sys.stderr):
        model = _model(given, checkpoint=given.checkpoint).fit(ratings)
    model.save(given.output)
    _say(f"Saved {given.output}")


def _add_evaluate(commands: Any) -> None:
    parser = _new(
        commands,
        "evaluate",
        _evaluate,
        "compare a model with baselines on hidden ratings",
        "evaluate ratings.csv --user user_id --item movie_id --rating stars --relevant-from 4",
    )
    parser.add_argument("table", help="csv, tsv or parquet; may be compressed; - is the input")
    parser.add_argument(
        "--test-size", type=float, default=0.1, help="share to hide (default: %(default)s)"
    )
    parser.add_argument(
        "--folds", type=int, metavar="K", help="hide each of K parts in turn instead"
    )
    parser.add_argument(
        "--relevant-from",
        type=float,
        metavar="RATING",
        help="least rating of what lists should hold (default: any)",
    )
    _add_table(parser)
    _add_model(parser)


def _evaluate(given: Any) -> None:
    ratings = _read_table(given)
    _say(str(ratings))
    seed = given.random_state
    if given.folds is None:
        folds: Any = ShuffleSplit(1, test_size=given.test_size, random_state=seed)
    else:
        folds = KFold(given.folds, shuffle=True, random_state=seed)
    scoring = {
        "RMSE": "neg_root_mean_squared_error",
        "MAE": "neg_mean_absolute_error",
        "NDCG@10": make_top_n_scorer("ndcg", n=10, relevant_from=given.relevant_from),
    }
    models = {
        "popularity": PopularityRecommender(),
        "biases": BiasRegressor(),
        f"AutoRec, {given.kind}": _model(given),
    }
    print(f"{'':<16}" + "".join(f"{name:>9}" for name in scoring))
    for name, model in models.items():
        with redirect_stdout(sys.stderr):
            scores = cross_validate(
                model, ratings, ratings.values, cv=folds, scoring=scoring, error_score="raise"
            )
        means = (abs(np.mean(scores[f"test_{measure}"])) for measure in scoring)
        print(f"{name:<16}" + "".join(f"{mean:9.4f}" for mean in means), flush=True)


def _add_recommend(commands: Any) -> None:
    parser = _new(
        commands,
        "recommend",
        _recommend,
        "make lists for users of a model",
        "recommend model.npz 17 42 -n 5",
    )
    parser.add_argument("model", help="file that fit has written")
    parser.add_argument("users", nargs="*", metavar="USER", help="ids of users")
    parser.add_argument("--all", action="store_true", help="lists for all users")
    parser.add_argument("-n", type=int, default=10, help="items of a list (default: %(default)s)")
    parser.add_argument(
        "--rank-by",
        choices=["relevance", "rating"],
        default="relevance",
        help="what users will meet and like, or the highest predictions (default: %(default)s)",
    )
    parser.add_argument(
        "--candidates", metavar="FILE", help="ids of items that may be listed, one on each line"
    )
    parser.add_argument(
        "--exclude", metavar="FILE", help="ids of items that may not, one on each line"
    )
    parser.add_argument(
        "--include-seen", action="store_true", help="list what users have rated too"
    )
    _add_output(parser)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="csv, tsv or parquet (default: csv on the output)"
    )


def _recommend(given: Any) -> None:
    if bool(given.users) == given.all:
        raise ValueError("Give ids of users, or --all, and not both.")
    model = AutoRecRegressor.load(given.model)
    users = model.user_ids_ if given.all else tables.as_ids(given.users, model.user_ids_).to_numpy()
    items = {
        name: tables.as_ids(tables.read_ids(file), model.item_ids_).tolist()
        for name in ("candidates", "exclude")
        if (file := getattr(given, name)) is not None
    }

    def lists() -> Iterator[Any]:
        for start in range(0, len(users), _BLOCK):
            yield model.recommend(
                users[start : start + _BLOCK],
                n=given.n,
                rank_by=given.rank_by,
                exclude_seen=not given.include_seen,
                as_frame=True,
                **items,
            )

    tables.write(lists(), given.output)


def _add_predict(commands: Any) -> None:
    parser = _new(
        commands,
        "predict",
        _predict,
        "predict the ratings of pairs of user and item, with standard deviations",
        "predict model.npz pairs.csv --user user_id --item movie_id -o predicted.csv",
    )
    parser.add_argument("model", help="file that fit has written")
    parser.add_argument("table", help="csv, tsv or parquet; may be compressed; - is the input")
    _add_table(parser, needs_rating=False)
    _add_output(parser)


def _predict(given: Any) -> None:
    model = AutoRecRegressor.load(given.model)
    pairs = _read_table(given, like=model)
    frame = pairs.to_frame().iloc[:, :2].set_axis([given.user, given.item], axis=1)
    frame["rating"], frame["std"] = model.predict(pairs, return_std=True)
    tables.write([frame], given.output)


def _add_update(commands: Any) -> None:
    parser = _new(
        commands,
        "update",
        _update,
        "take new ratings into a model, without training",
        "update model.npz today.csv --user user_id --item movie_id --rating stars",
    )
    parser.add_argument("model", help="file that fit has written")
    parser.add_argument("table", help="csv, tsv or parquet; may be compressed; - is the input")
    parser.add_argument(
        "-o", "--output", metavar="MODEL", help="file of the new model (default: the same)"
    )
    parser.add_argument(
        "--remove", action="store_true", help="take the ratings of these pairs out instead"
    )
    _add_table(parser)


def _update(given: Any) -> None:
    model = AutoRecRegressor.load(given.model)
    ratings = _read_table(given, like=model)
    model = model.update(remove=ratings) if given.remove else model.update(ratings)
    output = given.output or given.model
    model.save(output)
    _say(f"Saved {output}")
