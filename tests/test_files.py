"""Files of fitted estimators: what they hold, that they are whole, and that nothing is believed."""

import dataclasses
import io
import json
import os
import pickle
import random
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from conftest import new

from skautorec import AutoRecRegressor, Ratings
from skautorec._core.rows import Rows
from skautorec._files import archive
from skautorec.baselines import BiasRegressor, PopularityRecommender
from skautorec.datasets import make_ratings

TABLE = make_ratings(30, 20, 300, random_state=0)
R = TABLE.to_matrix()
DENSE = np.where(R.toarray() == 0, np.nan, R.toarray())
WORDS = Ratings(
    TABLE.users, TABLE.items, TABLE.values, user_ids=[f"u{i}" for i in range(30)],
    item_ids=[(i, str(i)) for i in range(20)],
)  # fmt: skip
MODELS = {
    "item": new("item", max_iter=3).fit(TABLE),
    "user": new("user", max_iter=3).fit(WORDS),
    "both, deep, two members": new(
        "both", hidden_units=(4, 3), n_estimators=2, max_iter=3
    ).fit(R),
    "both, with y": new("both", max_iter=3).fit(R[:, :15], R[:, 15:]),
    "biases, with y": BiasRegressor().fit(R[:, :15], R[:, [19]].toarray()[:, 0]),
    "biases": BiasRegressor((2, np.inf)).fit(pd.DataFrame(DENSE, [f"u{i}" for i in range(30)])),
    "popularity": PopularityRecommender().fit(WORDS),
}  # fmt: skip


def saved(model):
    file = io.BytesIO()
    model.save(file)
    return file.getvalue()


def load(model, content):
    return type(model).load(io.BytesIO(content))


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


def answers(model):
    X = R[:, : model.n_features_in_]
    users = list(model.user_ids_[:3])
    scores = model.recommend(users, n=3, return_std=True)[1:]
    return [*model.predict(X, return_std=True), *(np.nan_to_num(some) for some in scores)]


def test_what_is_loaded_is_what_was_saved(model):
    loaded = load(model, saved(model))
    assert loaded.get_params() == model.get_params()
    assert set(vars(loaded)) == set(vars(model))
    for one, two in zip(answers(loaded), answers(model), strict=True):
        np.testing.assert_array_equal(one, two)
    for name, value in vars(model).items():
        if name.endswith("_"):
            np.testing.assert_array_equal(getattr(loaded, name), value)
            assert type(getattr(loaded, name)) is type(value)
    assert saved(loaded) == saved(model)


def test_files_are_archives_of_named_arrays_without_twins(model):
    content = saved(model)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.testzip() is None
        assert {entry.compress_type for entry in file.infolist()} == {zipfile.ZIP_STORED}
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["user_factors"], model.user_factors_)
        kept = model._fitted.training.inputs
        np.testing.assert_array_equal(arrays["training.inputs.data"], kept.data)
        header = json.loads(bytes(arrays["header"]))
        assert [*header["arrays"]] == [name for name in arrays.files if name != "header"]
        assert ("target_items" in arrays.files) == model._fitted.has_targets
    assert header["version"] == 1


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_keep_names_of_features(library):
    frame = pytest.importorskip(library).DataFrame({f"film {i}": DENSE[:, i] for i in range(20)})
    model = PopularityRecommender().fit(frame)
    loaded = load(model, saved(model))
    assert loaded.feature_names_in_.tolist() == [f"film {i}" for i in range(20)]
    assert loaded.feature_names_in_.dtype == model.feature_names_in_.dtype == object
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))


@pytest.mark.parametrize("form", ["csc", "coo", "unsorted"])
def test_matrices_of_any_form_are_saved(form):
    given = R.asformat("csr" if form == "unsorted" else form)
    if form == "unsorted":
        # Each row backwards.
        ends = np.repeat(R.indptr[:-1] + R.indptr[1:] - 1, np.diff(R.indptr))
        order = ends - np.arange(R.nnz)
        given = scipy.sparse.csr_array((R.data[order], R.indices[order], R.indptr), shape=R.shape)
    model = BiasRegressor().fit(given)
    np.testing.assert_array_equal(load(model, saved(model)).predict(R), model.predict(R))


def test_parameters_survive_saving(ratings, tmp_path):
    model = AutoRecRegressor(
        (np.int64(8), 4),
        lambd=np.float64(3),
        rating_range=(0, 6),
        max_iter=5,
        random_state=np.random.RandomState(0),
    ).fit(ratings)
    model.save(tmp_path / "model")
    loaded = AutoRecRegressor.load(tmp_path / "model")
    expected = model.get_params() | {"random_state": None}
    assert loaded.get_params() == expected
    assert set(vars(loaded)) == set(vars(model))


class Own(BiasRegressor):
    def __init__(self, damping="auto", *, note=None, rating_range=None):
        super().__init__(damping, rating_range=rating_range)
        self.note = note


def test_attributes_of_others_are_not_saved_and_stay():
    model = BiasRegressor().fit(TABLE)
    model.note = note = object()
    loaded = load(model, saved(model))
    assert model.note is note
    assert not hasattr(loaded, "note")


@pytest.mark.parametrize("note", ["x", None, [1, (2.5, "y")], True])
def test_parameters_of_subclasses_are_saved(note):
    model = Own(note=note).fit(TABLE)
    assert load(model, saved(model)).note == note
    with pytest.raises(ValueError, match="unexpected keyword argument 'note'"):
        BiasRegressor.load(io.BytesIO(saved(model)))


@pytest.mark.parametrize("note", [object(), {1: 2}, [{1}], np.array(["x"])])
def test_parameters_that_cannot_be_saved_are_named(note, tmp_path):
    path = tmp_path / "model"
    path.write_text("what was there")
    with pytest.raises(TypeError, match=r"The parameter note is a \w+, which cannot be saved"):
        Own(note=note).fit(TABLE).save(path)
    assert path.read_text() == "what was there"


def test_parameters_that_are_arrays_are_saved():
    model = new("item", hidden_units=np.array([4, 3]), max_iter=2).fit(TABLE)
    loaded = load(model, saved(model))
    assert loaded.hidden_units.dtype == model.hidden_units.dtype
    assert loaded.hidden_units.tolist() == [4, 3]


def test_ids_that_need_pickle_are_refused_by_save_and_kept_by_pickle(tmp_path):
    ids = np.array([1.5j, 2.5j], dtype=object)
    model = new("item").fit(Ratings([0, 1], [0, 1], [1.0, 2.0], user_ids=ids))
    path = tmp_path / "model"
    path.write_text("what was there")
    with pytest.raises(TypeError, match="complex"):
        model.save(path)
    assert path.read_text() == "what was there"
    assert [file.name for file in tmp_path.iterdir()] == ["model"]
    assert len(pickle.loads(pickle.dumps(model)).recommend(1.5j)[0]) == 1


def test_open_files_are_written_and_read_from_where_they_stand(tmp_path):
    model = MODELS["biases"]
    with open(tmp_path / "model", "w+b") as file:
        file.write(b"before")
        model.save(file)
        file.seek(6)
        np.testing.assert_array_equal(BiasRegressor.load(file).user_bias_, model.user_bias_)
        assert not file.closed
        with pytest.raises(ValueError, match="nothing in it, or it stands at its end"):
            BiasRegressor.load(file)
    with open(tmp_path / "model", "rb") as file:
        file.seek(6)
        assert zipfile.ZipFile(io.BytesIO(file.read())).testzip() is None


def test_saved_files_have_the_usual_mode_and_links_stay(ratings, tmp_path):
    model = new("item").fit(ratings)
    (tmp_path / "usual").touch()
    model.save(tmp_path / "model.npz")
    assert (tmp_path / "model.npz").stat().st_mode == (tmp_path / "usual").stat().st_mode
    (tmp_path / "model.npz").chmod(0o440)
    mode = (tmp_path / "model.npz").stat().st_mode
    model.save(tmp_path / "model.npz")
    assert (tmp_path / "model.npz").stat().st_mode == mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.npz", "usual"]
    try:
        (tmp_path / "link").symlink_to("model.npz")
    except OSError:  # Windows, without the right to
        return
    before = (tmp_path / "model.npz").read_bytes()
    new("user").fit(ratings).save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "model.npz").read_bytes() != before


def test_a_crash_leaves_the_old_file_or_the_new_one(tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.write_text("what was there")
    done = []
    for name in ("fsync", "replace"):
        usual = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *args, name=name, usual=usual: (done.append(name), usual(*args))
        )
    MODELS["item"].save(path)
    assert done == ["fsync", "replace", "fsync"] if os.name == "posix" else ["fsync", "replace"]
    before = path.read_bytes()

    def fail(*args):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        MODELS["user"].save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model"]


def test_models_that_load_would_refuse_are_not_saved(tmp_path):
    model = BiasRegressor().fit(TABLE)
    users = dataclasses.replace(model._fitted.users, bias=model.user_bias_[:-1])
    model._fitted = dataclasses.replace(model._fitted, user_rows=Rows(users))
    with pytest.raises(ValueError, match="user_bias is of other length"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


# Files that are damaged.


def test_missing_files_are_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        AutoRecRegressor.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "there is nothing in it"),
        (b"not a model", "it is another format"),
        (bytes(1000), "it is another format"),
        (b'{"format": "skautorec", "version": 1}', "its header is too long"),
        (b'{"format": "skautorec", "version": 1}'.ljust(1000, b"\0"), "its header is too long"),
    ],
)
def test_other_files_are_refused(content, what, tmp_path):
    (tmp_path / "other").write_bytes(content)
    match = rf"other' cannot be used: .* \({what}.* Save the estimator again"
    with pytest.raises(ValueError, match=match):
        AutoRecRegressor.load(tmp_path / "other")


def test_no_byte_may_change_and_none_be_missing():
    model = MODELS["biases"]
    content = saved(model)
    for position in range(0, len(content), 11):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        for damaged in (bytes(changed), content[:position]):
            with pytest.raises(ValueError, match=r"cannot be used|Upgrade"):
                load(model, damaged)


@pytest.mark.parametrize("seed", range(30))
def test_damaged_files_are_refused(seed):
    rng = random.Random(seed)
    model = MODELS[rng.choice(list(MODELS))]
    content = saved(model)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        members = [(name, file.read(name)) for name in file.namelist()]
    start, stop = sorted(rng.sample(range(len(content)), 2))
    one, two = rng.sample(range(len(members)), 2)
    swapped = dict(members)
    (first, _), (second, _) = members[one], members[two]
    swapped[first], swapped[second] = swapped[second], swapped[first]
    for damaged in (
        content[:start] + content[stop:],
        content[:start] + rng.randbytes(stop - start) + content[stop:],
        content[:start] + rng.randbytes(3) + content[start:],
        content + rng.randbytes(start),
        zipped(members[:one] + members[one + 1 :]),
        zipped([*members, ("more.npy", members[one][1])]),
        zipped(swapped.items()),
        zipped(members, zipfile.ZIP_DEFLATED),
        zipped(members),
    ):
        with pytest.raises(ValueError, match="cannot be used"):
            load(model, damaged)


def zipped(members, compression=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as zipped_file:
        for name, content in members:
            zipped_file.writestr(name, content)
    return file.getvalue()


# Files with right checksums that are made to do harm.


def forged(model, change):
    """A file of the model with other contents and right checksums."""
    with archive.read(io.BytesIO(saved(model))) as (values, arrays):
        arrays = {name: array.copy() for name, array in arrays.items()}
        change(values, arrays)
    file = io.BytesIO()
    archive.write(file, values, arrays)
    return file.getvalue()


def with_header(content, change):
    """The same arrays with another header and right checksums."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        (first, *members) = file.infolist()
        text = change(bytes(np.load(io.BytesIO(file.read(first)))))
        raw = [file.read(one) for one in members]
    start = archive._npy_header("|u1", (len(text),))
    names = ["header", *(one.filename.removesuffix(".npy") for one in members)]
    whole, directory = b"", b""
    for name, member in zip(names, [start + text, *raw], strict=True):
        about = name, len(member), zlib.crc32(member)
        directory += archive._central(*about, len(whole))
        whole += archive._local(*about) + member
    return whole + directory + archive._end(len(names), len(directory), len(whole))


def test_forgeries_without_a_change_load():
    for name in ("both, with y", "popularity"):
        model = MODELS[name]
        assert forged(model, lambda values, arrays: None) == saved(model)
        assert with_header(saved(model), lambda text: text) == saved(model)


def put(name, where, value):
    def change(values, arrays):
        arrays[name].reshape(-1)[where] = value

    return change


def turn(name, to):
    def change(values, arrays):
        arrays[name] = to(arrays[name])

    return change


def state(name, value):
    def change(values, arrays):
        assert name in values["fitted"]
        values["fitted"][name] = value

    return change


ITEM = "model.members0.item."
FORGERIES = {
    "indptr too large": put("training.inputs.indptr", 5, 2**30),
    "indptr from below": put("training.inputs.indptr", 0, 1),
    "indptr falls": put("training.inputs.indptr", 5, 0),
    "indptr ends early": put("training.inputs.indptr", -1, 299),
    "negative indptr": put("training.inputs.indptr", 1, -1),
    "column outside": put("training.inputs.indices", 3, 20),
    "negative column": put("training.inputs.indices", 3, -1),
    "columns not sorted": put("training.inputs.indices", slice(0, 2), 5),
    "rating outside": put("training.inputs.data", 3, 100),
    "ratings of another type": turn("training.inputs.data", lambda data: data.astype("f2")),
    "one rating less": turn("training.inputs.data", lambda data: data[:-1]),
    "nan factor": put("user_factors", 3, np.nan),
    "infinite factor": put("item_factors", 3, np.inf),
    "huge factor": put("item_factors", 3, 1e200),
    "nan weight": put(ITEM + "encoder.weights0", 3, np.nan),
    "infinite sum": put(ITEM + "sums.tables0", 3, -np.inf),
    "negative count": put(ITEM + "sums.counts", 3, -1),
    "fewer factors": turn("user_factors", lambda factors: factors[:, :-1]),
    "fewer users": turn("user_factors", lambda factors: factors[:-1]),
    "flat factors": turn("user_factors", np.ravel),
    "factors of float32": turn("user_factors", np.float32),
    "wider sums": turn(ITEM + "sums.tables0", lambda table: np.hstack((table, table))),
    "wider layer": turn(ITEM + "encoder.biases0", lambda bias: np.append(bias, bias)),
    "longer mean code": turn(ITEM + "encoder.mean_code", lambda code: np.append(code, code)),
    "fewer inputs": turn(ITEM + "encoder.weights0", lambda weights: weights[:-1]),
    "range upside down": put("scale.low", slice(None), 10),
    "id twice": put("users", 1, 0),
    "unsigned ids of text": turn("users", lambda ids: ids.astype("M8[D]")[:-1]),
    "no ids": lambda values, arrays: arrays.pop("users"),
    "an array more": lambda values, arrays: arrays.update(more=np.zeros(3)),
    "an array less": lambda values, arrays: arrays.pop("item_bias"),
    "a value more": lambda values, arrays: values["fitted"].update(more=3),
    "a value less": lambda values, arrays: values["fitted"].pop("n_iter"),
    "targets that are not there": state("has_targets", True),
    "one dimension": state("target_ndim", 1),
    "three dimensions": state("target_ndim", 3),
    "true dimension": state("target_ndim", True),
    "no members": state("model.members.n", 0),
    "many members": state("model.members.n", 10**9),
    "many layers": state(ITEM + "encoder.weights.n", 2),
    "no part": state("model.members0.item", False),
    "another part": state("model.members0.user", True),
    "style of the other": state(ITEM + "encoder.encoding.style", "residuals"),
    "unknown style": state(ITEM + "encoder.encoding.style", "other"),
    "unknown activation": state(ITEM + "encoder.activation", "eval"),
    "negative noise": state("model.noise", -1.0),
    "noise that is nan": state("model.noise", float("nan")),
    "noise that is text": state("model.noise", "1"),
    "penalty of zero": state(ITEM + "encoder.penalty", 0.0),
    "flag that is a number": state(ITEM + "encoder.on_residuals", 0),
    "names that are numbers": state("feature_names", True),
    "parameter of a method": lambda values, arrays: values["params"].update(predict=3),
    "parameter of objects": lambda values, arrays: values["params"].update(
        tol={"array": [1], "dtype": "|O"}
    ),
    "parameter of much text": lambda values, arrays: values["params"].update(
        tol={"array": [""], "dtype": "<U1000000000"}
    ),
    "no parameters": lambda values, arrays: values.pop("params"),
    "another estimator": lambda values, arrays: values.update(estimator="object"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_forged_contents_are_refused(name):
    model = MODELS["item"]
    with pytest.raises(ValueError, match="cannot be used: it is not a whole and unchanged file"):
        load(model, forged(model, FORGERIES[name]))


def without_targets(values, arrays):
    values["fitted"]["training.y"] = False
    for part in ("data", "indices", "indptr"):
        del arrays[f"training.y.{part}"]


def of_several_kinds(values, arrays):
    name = "model.members1.user"
    values["fitted"] = {
        key: value for key, value in values["fitted"].items() if not key.startswith(f"{name}.")
    } | {name: False}
    for key in [key for key in arrays if key.startswith(name)]:
        del arrays[key]
    for side in ("user", "item"):
        arrays[f"{side}_factors"] = arrays[f"{side}_factors"][:, :9]


def of_nobody(values, arrays):
    for name, array in arrays.items():
        if name.startswith(("users", "user_", "training")) and "indptr" not in name:
            arrays[name] = array[:0]
    arrays["training.inputs.indptr"] = np.zeros(1, np.int32)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("both, with y", without_targets, "targets are missing"),
        ("both, deep, two members", of_several_kinds, "several kinds"),
        ("biases", of_nobody, "nobody or nothing"),
        ("item", turn("decoder_lambd", lambda table: np.append(table, table, axis=1)), "penalties"),
        ("biases", state("model.damping.n", 1), "two dampings"),
        ("item", put("item_bias", 0, 1e31), "item_bias holds numbers out of bounds"),
        ("item", turn("item_factors", lambda factors: factors * 0 + 1e29), "not be finite"),
    ],
)
def test_forged_relations_are_refused(name, change, message):
    def with_large_factors(values, arrays):
        change(values, arrays)
        if message == "not be finite":
            arrays["user_factors"][0, 0] = 1e11

    with pytest.raises(ValueError, match=rf"cannot be used: .*\(.*({message})"):
        load(MODELS[name], forged(MODELS[name], with_large_factors))


HEADERS = {
    "no json": lambda text: text[:-1],
    "deep": lambda text: b"[" * 500_000,
    "long": lambda text: b" " * 2**21 + text,
    "a list": lambda text: b"[]",
    "format": lambda text: text.replace(b'"skautorec"', b'"other"'),
    "version zero": lambda text: text.replace(b'"version": 1', b'"version": 0'),
    "version of text": lambda text: text.replace(b'"version": 1', b'"version": "1"'),
    "huge": lambda text: text.replace(b"[30, 8]", b"[30, 8000000000000000000]"),
    "endless": lambda text: text.replace(b"[30, 8]", b"[" + b"9" * 4000 + b", 8]"),
    "turned": lambda text: text.replace(b"[30, 8]", b"[8, 30]"),
    "negative": lambda text: text.replace(b"[30, 8]", b"[-30, -8]"),
    "fractions": lambda text: text.replace(b"[30, 8]", b"[30.0, 8]"),
    "no shape": lambda text: text.replace(b"[30, 8]", b"null"),
    "objects": lambda text: text.replace(b"<f8", b"|O"),
    "other order": lambda text: text.replace(b"<f8", b">f8"),
    "integers": lambda text: text.replace(b"<f8", b"<i8"),
    "long doubles": lambda text: text.replace(b"<f8", b"<f16"),
    "records": lambda text: text.replace(b"<f8", b"f4,f4"),
    "more": lambda text: text.replace(b'"arrays": {', b'"arrays": {"more": ["<f8", [0]], '),
    "much more": lambda text: text.replace(
        b'"arrays": {', b'"arrays": {"more": ["<f8", [1000000000000]], '
    ),
    "other name": lambda text: text.replace(b'"user_bias"', b'"user\\u00e9ias"'),
}


@pytest.mark.parametrize("name", HEADERS)
def test_forged_headers_are_refused(name):
    model = MODELS["item"]
    content = with_header(saved(model), HEADERS[name])
    assert content != saved(model)
    with pytest.raises(ValueError, match="cannot be used"):
        load(model, content)


def newer(text):
    return text.replace(b'"version": 1', b'"version": 20')


# Files of a later release may differ in all but how they begin.
NEWER = {
    "the same": lambda whole: newer(whole),
    "a longer header": lambda whole: with_header(whole, lambda text: newer(text) + bytes(2**21)),
    "another header": lambda whole: with_header(
        whole, lambda text: b'{"format": "skautorec", "version": 20}'
    ),
    "other names": lambda whole: newer(whole).replace(b"header.npy", b"values.npy"),
    "another end": lambda whole: newer(whole)[:-100],
    "no archive": lambda whole: newer(whole[100:]),
}


@pytest.mark.parametrize("name", NEWER)
def test_newer_formats_ask_for_an_upgrade(name):
    model = MODELS["item"]
    content = NEWER[name](saved(model))
    with pytest.raises(ValueError, match=r"format 20, .* formats up to 1\. Upgrade skautorec"):
        load(model, content)


@pytest.mark.parametrize("seed", range(150))
def test_forged_numbers_are_refused_or_give_numbers(seed):
    rng = random.Random(seed)
    model = MODELS[rng.choice(list(MODELS))]

    def change(values, arrays):
        name = rng.choice(list(arrays))
        array = arrays[name].reshape(-1)
        content = array.view(np.uint8)
        start = rng.randrange(max(1, len(content)))
        part = content[start : start + rng.choice([1, 8, 1000])]
        part[:] = np.frombuffer(rng.randbytes(len(part)), np.uint8)

    content = forged(model, change)
    try:
        loaded = load(model, content)
    except ValueError:
        return
    with np.errstate(all="ignore"):
        assert all(np.isfinite(some).all() for some in answers(loaded))
