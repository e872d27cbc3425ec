"""Each test starts with an empty default graph, a session of its own and the same seeds."""

from __future__ import annotations

import pytest

from graphc.keras import backend as K
from graphc.keras.utils import set_random_seed


@pytest.fixture(autouse=True)
def fresh_session() -> None:
    K.clear_session()
    set_random_seed(7)
