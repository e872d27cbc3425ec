"""What tests of chains share."""

from __future__ import annotations

from typing import Any

import pytest

from graphc.runtime import schedule as scheduling
from graphc.runtime.chains import Chain, make_chains


@pytest.fixture
def chains(monkeypatch: pytest.MonkeyPatch) -> list[Chain]:
    """The chains of all plans that a test builds."""
    found: list[Chain] = []

    def spy(*args: Any) -> Any:
        steps, made = make_chains(*args)
        found.extend(made)
        return steps, made

    monkeypatch.setattr(scheduling, "make_chains", spy)
    return found
