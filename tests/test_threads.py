"""Many threads read, update and save one model."""

import io
import threading
import time

import pytest
from conftest import new
from stress.threads import stress

from skautorec import AutoRecRegressor
from skautorec._core import exposure


def test_threads_read_one_model_while_others_update_and_save_it():
    done, faults = stress(2, n_readers=16, n_writers=2)
    assert not faults, faults[:3]
    assert done["update"] and done["save"] and done["explain"]


def test_a_file_saved_during_an_update_is_of_one_model(ratings, monkeypatch):
    model = new("item").fit(ratings[:1400])
    ranking = AutoRecRegressor._ranking

    def update_first(self, fitted):
        monkeypatch.setattr(AutoRecRegressor, "_ranking", ranking)
        model.update(ratings[1400:])
        return ranking(self, fitted)

    monkeypatch.setattr(AutoRecRegressor, "_ranking", update_first)
    file = io.BytesIO()
    model.save(file)
    file.seek(0)
    loaded = AutoRecRegressor.load(file)
    assert (loaded._fitted.training.inputs.nnz, loaded.drift_.n_ratings) == (1400, 0)


@pytest.mark.parametrize("method", ["recommend", "similar_items"])
def test_threads_that_need_an_exposure_wait_for_one_of_them(method, ratings, monkeypatch):
    model, calls = new("item").fit(ratings), []
    start, fit_exposure = threading.Barrier(8), exposure.fit_exposure

    def counted(table):
        calls.append(table)
        time.sleep(0.05)
        return fit_exposure(table)

    monkeypatch.setattr(exposure, "fit_exposure", counted)

    def ask():
        start.wait()
        getattr(model, method)(3)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
