"""Torch's global modes do not matter; what a device cannot do is found out before a fit."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from conftest import KINDS, new

from skautorec._core.isolation import isolated
from skautorec.baselines import BiasRegressor


@contextmanager
def default_device():
    # "meta" computes nothing, so that what lands there is lost.
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


MODES = {
    "default device": default_device,
    "autocast": lambda: torch.autocast("cpu"),
    "inference mode": torch.inference_mode,
    "no grad": torch.no_grad,
}
ESTIMATORS = {kind: lambda kind=kind: new(kind) for kind in KINDS} | {
    "deep": lambda: new("user", hidden_units=(8, 4), batch_size=20),
    "lbfgs": lambda: new("item", solver="lbfgs", max_iter=3),
    "biases": BiasRegressor,
}


def answers(model, ratings):
    """All that a fitted estimator says."""
    R = ratings.to_matrix()
    users = list(model.user_ids_) * 2  # enough of them to be screened
    told = [model.predict(ratings), *model.predict(R, return_std=True), model.score(R)]
    told += [*model.predict(ratings, return_std=True), *model.fold_in({0: 5, 3: 1})]
    told += [*model.recommend(users, n=3), *model.recommend({0: 5}, return_std=True)]
    if hasattr(model, "similar_items"):
        told += [*model.similar_items(3), *model.similar_users(3), *model.similar_users({0: 5})]
    if getattr(model, "kind", "user") != "user":
        told += [*model.explain(3, 4), *model.explain({0: 5, 3: 1}, 4)]
    if getattr(model, "kind", "both") != "both":
        told += [parameter.detach().numpy() for parameter in model.to_module().parameters()]
    return told


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_global_modes_of_torch_do_not_matter(estimator, mode, ratings):
    expected = answers(ESTIMATORS[estimator]().fit(ratings), ratings)
    with MODES[mode]():
        given = answers(ESTIMATORS[estimator]().fit(ratings), ratings)
    for one, other in zip(given, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", [default_device, lambda: torch.device("meta")])
def test_default_devices_are_found_however_they_are_set(make):
    where = isolated(lambda: torch.empty(1).device.type)
    with make():
        assert where() == "cpu"
    assert where() == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_autocast_on_cuda_does_not_matter(ratings):
    expected = new("user", device="cuda").fit(ratings).predict(ratings)
    with torch.autocast("cuda"):
        given = new("user", device="cuda").fit(ratings).predict(ratings)
    np.testing.assert_allclose(given, expected, rtol=1e-3)


def test_a_module_made_in_inference_mode_can_be_trained(ratings):
    with torch.inference_mode():
        module = new("user").fit(ratings).to_module()
    module(torch.full((1, 50), 3.0)).sum().backward()


def test_a_device_that_computes_nothing_is_refused(ratings):
    with pytest.raises(ValueError, match="device is 'meta', which torch cannot use here"):
        new("item", device="meta").fit(ratings)
