"""What several test files share."""

import pytest

from skautorec import AutoRecRegressor
from skautorec.datasets import make_ratings

KINDS = ["item", "user", "both"]


@pytest.fixture(scope="module")
def ratings():
    return make_ratings(80, 50, 1500, random_state=0)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


def new(kind, **changed):
    parameters = {"hidden_units": 8, "lambd": 10.0, "max_iter": 20, "random_state": 0}
    return AutoRecRegressor(kind=kind, **(parameters | changed))
