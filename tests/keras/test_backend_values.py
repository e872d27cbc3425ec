"""keras.backend has the values of Keras 2: tests/fixtures/tf_keras.npz."""

from __future__ import annotations

import pytest

from graphc.keras import backend as K
from tests.keras import backend_cases
from tests.keras.test_losses import close


@pytest.mark.parametrize("name", sorted(backend_cases.cases()))
def test_functions(name: str) -> None:
    got = backend_cases.cases()[name](K, K.constant)
    close(K.eval(got), f"backend/{name}")
