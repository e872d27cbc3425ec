"""What a call raises, as text that does not depend on versions: "ok", or what came instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def raised(kind: Any, part: str, call: Callable[[], Any]) -> str:
    """"ok" where `call` raises `kind` with `part` in its text."""
    try:
        value = call()
    except kind as err:
        text = str(err)
        return "ok" if part in text else text
    except Exception as err:  # another error is a finding, not a crash of the program
        return f"{type(err).__name__}: {err}"
    return f"no error, but {value!r}"
