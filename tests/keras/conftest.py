"""Each test starts with an empty default graph and a session of its own."""

from __future__ import annotations

import pytest

from graphc.keras import backend as K


@pytest.fixture(autouse=True)
def fresh_session() -> None:
    K.clear_session()
