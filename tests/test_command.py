"""`python -m skautorec`: what people do from a shell."""

import io
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skautorec import AutoRecRegressor
from skautorec._command import main, tables
from skautorec.datasets import make_ratings

PAGE = Path(__file__).parents[1] / "docs/guide/command.rst"
TABLE = ["--user", "who", "--item", "film", "--rating", "stars"]
QUICK = ["--hidden-units", "4", "--max-iter", "2"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def frame():
    frame = make_ratings(60, 40, 900, random_state=0).to_frame()
    frame.columns = ["who", "film", "stars"]
    names = {0: "ann", 1: "bob"}
    frame["who"] = [names.get(user, f"u{user}") for user in frame["who"]]
    return frame


@pytest.fixture
def model(frame, capsys):
    frame.to_csv("ratings.csv", index=False)
    assert main(["fit", "ratings.csv", *TABLE, *QUICK, "-o", "model.npz"]) == 0
    capsys.readouterr()
    return AutoRecRegressor.load("model.npz")


def test_a_fit_is_that_of_python(frame, model):
    assert model.get_params()["hidden_units"] == 4 and model.random_state == 0
    assert model.user_ids_.dtype.kind in "OUT" and model.item_ids_.dtype.kind == "i"
    assert len(model._fitted.training.inputs.data) == len(frame)


def test_defaults_are_those_of_the_library(monkeypatch, frame):
    frame.to_csv("ratings.csv", index=False)
    seen = []
    monkeypatch.setattr(AutoRecRegressor, "fit", lambda self, X: seen.append(self) or self)
    monkeypatch.setattr(AutoRecRegressor, "save", lambda self, file: None)
    main(["fit", "ratings.csv", *TABLE, "-o", "model.npz"])
    assert seen[0].get_params() == AutoRecRegressor(random_state=0).get_params()


def test_lists_are_those_of_python(model, capsys):
    assert main(["recommend", "model.npz", "ann", "u17", "-n", "3"]) == 0
    printed = pd.read_csv(io.StringIO(capsys.readouterr().out))
    expected = model.recommend(["ann", "u17"], n=3, as_frame=True)
    pd.testing.assert_frame_equal(printed, expected, check_dtype=False, rtol=1e-6)


def test_filters_of_lists(model, capsys, folder):
    (folder / "some").write_text("3\n5\n\n8\n")
    (folder / "not").write_text("5\n")
    filters = ["--candidates", "some", "--exclude", "not", "--include-seen", "--rank-by", "rating"]
    assert main(["recommend", "model.npz", "ann", *filters]) == 0
    printed = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert sorted(printed["item"]) == [3, 8]
    ids, scores = model.recommend("ann", candidates=[3, 8], exclude_seen=False, rank_by="rating")
    np.testing.assert_array_equal(printed["item"], ids)
    np.testing.assert_allclose(printed["score"], scores, rtol=1e-6)


@pytest.mark.parametrize("name", ["lists.csv", "lists.csv.gz", "lists.tsv", "lists.parquet"])
def test_lists_for_all_in_blocks_into_a_file(name, model, monkeypatch, folder):
    monkeypatch.setattr("skautorec._command._BLOCK", 7)
    assert main(["recommend", "model.npz", "--all", "-n", "2", "-o", name]) == 0
    if name.endswith("parquet"):
        found = pd.read_parquet(name)
    else:
        found = pd.read_csv(name, sep="\t" if name.endswith("tsv") else ",")
    expected = model.recommend(model.user_ids_, n=2, as_frame=True)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-6)
    assert sorted(file.name for file in folder.iterdir()) == sorted(
        [name, "model.npz", "ratings.csv"]
    )


def test_a_file_is_replaced_only_by_a_whole_one(model, monkeypatch, folder, capsys):
    (folder / "lists.csv").write_text("precious")

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    assert main(["recommend", "model.npz", "ann", "-o", "lists.csv"]) == 1
    assert "disk full" in capsys.readouterr().err
    assert (folder / "lists.csv").read_text() == "precious"
    assert len(list(folder.iterdir())) == 3


def test_predictions_are_those_of_python(frame, model, capsys, monkeypatch):
    pairs = frame[["who", "film"]].head(5)
    monkeypatch.setattr(sys, "stdin", io.StringIO(pairs.to_csv(index=False)))
    assert main(["predict", "model.npz", "-", "--user", "who", "--item", "film"]) == 0
    printed = pd.read_csv(io.StringIO(capsys.readouterr().out))
    assert printed.columns.tolist() == ["who", "film", "rating", "std"]
    pd.testing.assert_frame_equal(printed[["who", "film"]], pairs, check_dtype=False)
    from skautorec import Ratings

    known = Ratings.from_frame(frame, user="who", item="film", rating="stars")
    predicted, std = model.predict(known[:5], return_std=True)
    np.testing.assert_allclose(printed["rating"], predicted)
    np.testing.assert_allclose(printed["std"], std)


def test_an_update_takes_ratings_in_and_out(model):
    new = pd.DataFrame({"who": ["new", "ann"], "film": ["1", "3"], "stars": [5, 1]})
    new.to_csv("today.csv", index=False)
    assert main(["update", "model.npz", "today.csv", *TABLE, "-o", "other.npz"]) == 0
    other = AutoRecRegressor.load("other.npz")
    assert other.user_ids_.tolist() == [*model.user_ids_.tolist(), "new"]
    assert other.item_ids_.tolist() == model.item_ids_.tolist()
    assert main(["update", "other.npz", "today.csv", *TABLE, "--remove"]) == 0
    assert AutoRecRegressor.load("other.npz").drift_.n_removed == 2


def test_an_evaluation_has_baselines_beside_it(frame, capsys):
    frame.to_parquet("ratings.parquet")
    arguments = ["evaluate", "ratings.parquet", *TABLE, *QUICK, "--relevant-from", "4"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["RMSE", "MAE", "NDCG@10"]
    table = {line[:16].strip(): np.array(line[16:].split(), float) for line in lines[1:]}
    assert list(table) == ["popularity", "biases", "AutoRec, item"]
    assert all((row > 0).all() and (row < 3).all() for row in table.values())
    assert main([*arguments, "--folds", "2"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] != lines[1:]


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (["7", "10"], [7, 10]),
        (["007", "10"], ["007", "10"]),
        (["-3", "0"], [-3, 0]),
        (["7", "1e3"], ["7", "1e3"]),
        (["NA", "7"], ["NA", "7"]),
        (["7", "9" * 30], ["7", "9" * 30]),
        ([" 7", "8"], [" 7", "8"]),
    ],
)
def test_ids_are_numbers_only_if_they_are_written_as_such(ids, found, folder):
    text = "u,i,r\n" + "".join(f"{one},x,3\n" for one in ids)
    (folder / "table.csv").write_text(text)
    column = tables.as_ids(tables.read("table.csv", ["u", "i"], ["r"])["u"])
    assert column.tolist() == found


def test_ids_are_of_the_type_of_the_model():
    assert tables.as_ids(["7"], np.array(["a"])).tolist() == ["7"]
    assert tables.as_ids(["7"], np.array([1])).tolist() == [7]
    with pytest.raises(ValueError, match="ids of this model are integers, and 'ann' is none"):
        tables.as_ids(["7", "ann"], np.array([1]))


def test_a_table_without_a_header(folder, capsys):
    lines = [f"u{u}\t{i}\t{r}\t0" for u, i, r in [(1, 2, 3), (1, 3, 4), (2, 2, 5), (3, 3, 1)]]
    (folder / "u.data").write_text("\n".join(lines))
    numbers = ["--user", "1", "--item", "2", "--rating", "3"]
    arguments = ["fit", "u.data", "--sep", "tab", "--no-header", *numbers, *QUICK]
    assert main([*arguments, "-o", "model.npz"]) == 0
    assert AutoRecRegressor.load("model.npz").item_ids_.tolist() == [2, 3]
    assert "4 ratings of 2 items by 3 users" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "none.csv", *TABLE, "-o", "x"], "none.csv"),
        (["fit", "ratings.csv", *TABLE[:-1], "r", "-o", "x"], "'r'; its columns are 'who', 'film'"),
        (["fit", "ratings.csv", *TABLE[:-1], "who", "-o", "x"], "'who'"),
        (["recommend", "model.npz", "nobody"], "Unknown user id 'nobody'"),
        (["recommend", "model.npz"], "Give ids of users, or --all"),
        (["recommend", "model.npz", "ann", "--all"], "Give ids of users, or --all"),
        (["recommend", "ratings.csv", "ann"], "cannot be used"),
        (["update", "model.npz", "far.csv", *TABLE], "99"),
    ],
)
def test_errors_say_what_to_do(arguments, message, model, frame, capsys):
    frame.head(1).assign(stars=99).to_csv("far.csv", index=False)
    assert main(arguments) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.splitlines()[-1].startswith("skautorec: error: ")
    assert message in said.err


def test_text_among_numbers_is_named(frame, capsys):
    frame["stars"] = frame["stars"].astype(object)
    frame.loc[3, "stars"] = "good"
    frame.to_csv("ratings.csv", index=False)
    assert main(["fit", "ratings.csv", *TABLE, "-o", "x"]) == 1
    assert "Column 'stars' of ratings.csv holds 'good' in row 4" in capsys.readouterr().err


def test_warnings_are_short_and_on_the_error_output(model, frame, capsys):
    frame.head(3).assign(film=[900, 901, 902])[["who", "film"]].to_csv("pairs.csv", index=False)
    assert main(["predict", "model.npz", "pairs.csv", "--user", "who", "--item", "film"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 4
    assert all(line.startswith("skautorec: warning: ") for line in said.err.splitlines())


def test_progress_is_no_result(frame, capsys):
    frame.to_csv("ratings.csv", index=False)
    assert main(["fit", "ratings.csv", *TABLE, *QUICK, "-vv", "-o", "model.npz"]) == 0
    said = capsys.readouterr()
    assert said.out == "" and "epoch 1/2" in said.err


def test_missing_pandas_is_said(monkeypatch, capsys, folder):
    (folder / "ratings.csv").write_text("who,film,stars\n")
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert main(["fit", "ratings.csv", *TABLE, "-o", "x"]) == 1
    assert "pip install pandas" in capsys.readouterr().err


def test_interrupts_end_it_quietly(model, monkeypatch, capsys):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(AutoRecRegressor, "recommend", interrupt)
    assert main(["recommend", "model.npz", "ann"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs head")
def test_a_reader_that_has_enough_is_no_error(model):
    command = f"{sys.executable} -m skautorec recommend model.npz --all -n 40 | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("user,item,score,rank\n", "")


def test_the_page_of_the_guide(frame, capsys, monkeypatch):
    frame.to_csv("ratings.csv", index=False)
    frame.head(9)[["who", "film"]].to_csv("pairs.csv", index=False)
    frame.head(3).to_csv("today.csv", index=False)
    pd.DataFrame({0: [1, 1, 2], 1: [1, 2, 2], 2: [3, 4, 5]}).to_csv(
        "u.data", sep="\t", header=False, index=False
    )
    fit = AutoRecRegressor.fit

    def short(self, X, *args):
        return fit(self.set_params(hidden_units=4, max_iter=2), X, *args)

    monkeypatch.setattr(AutoRecRegressor, "fit", short)
    commands = re.findall(r"^    skautorec (.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 7
    for command in commands:
        assert main(shlex.split(command)) == 0, (command, capsys.readouterr().err)
    assert pd.read_csv("lists.csv.gz")["user"].nunique() == 60
    assert len(pd.read_csv("predicted.csv")) == 9
