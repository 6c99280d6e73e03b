"""Files of all formats load and answer as before, and the present one does not change unseen."""

import io
import json

import numpy as np
import pytest
from write_formats import FORMATS, RELEASED, answers, digest, make_models

import skautorec
from skautorec import AutoRecRegressor
from skautorec._files import archive
from skautorec.baselines import BiasRegressor, PopularityRecommender

CLASSES = {"biases": BiasRegressor, "popularity": PopularityRecommender}
NAMES = ["both", "item", "user", "biases", "popularity"]
CURRENT = FORMATS / str(archive.VERSION)


def load(path):
    return CLASSES.get(path.stem, AutoRecRegressor).load(path)


@pytest.mark.parametrize("version", range(1, archive.VERSION + 1))
@pytest.mark.parametrize("name", NAMES)
def test_files_answer_as_when_they_were_written(version, name):
    folder = FORMATS / str(version)
    expected = json.loads((folder / "answers.json").read_text())[name]
    said = answers(load(folder / f"{name}.npz"))
    assert said.keys() == expected.keys()
    for question, numbers in expected.items():
        assert said[question].keys() == numbers.keys()
        for about, number in numbers.items():
            np.testing.assert_allclose(said[question][about], number, rtol=1e-4, atol=1e-5)


def structure(file):
    """Names and types of all that a file holds."""
    with archive.read(file) as (values, arrays):
        parts = {"": values, "params": values["params"], "fitted": values["fitted"]}
        types = {
            f"{part} {name}": type(value)
            for part, held in parts.items()
            for name, value in held.items()
        }
        return types | {name: (array.dtype, array.ndim) for name, array in arrays.items()}


def test_the_format_changes_only_with_its_version():
    for name, model in make_models().items():
        file = io.BytesIO()
        model.save(file)
        file.seek(0)
        assert structure(file) == structure(CURRENT / f"{name}.npz"), "see CONTRIBUTING.md"


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_file_is_written_again_to_the_byte(name):
    file = io.BytesIO()
    load(CURRENT / f"{name}.npz").save(file)
    assert file.getvalue() == (CURRENT / f"{name}.npz").read_bytes()


def test_files_of_released_formats_never_change():
    assert all(digest(version) == known for version, known in RELEASED.values())
    if ".dev" not in skautorec.__version__:
        version = archive.VERSION
        assert RELEASED.get(skautorec.__version__) == (version, digest(version))
