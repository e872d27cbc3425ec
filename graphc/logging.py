"""tf.logging: messages to stderr as TensorFlow 1 writes them ("INFO:tensorflow:...").

Lives here: levels, functions, rate limits. Not here: what is logged. Imports only the standard
library and graphc's table of unsupported names. The logger is Python's "tensorflow", since
scripts set it up by that name too.
"""

from __future__ import annotations

import logging as _logging
import sys as _sys
import threading
from typing import Any, TextIO

from graphc._unsupported import getattr_of

__all__ = [
    "DEBUG", "ERROR", "FATAL", "INFO", "WARN", "TaskLevelStatusMessage", "debug", "error", "fatal",
    "flush", "get_logger", "get_verbosity", "info", "log", "log_every_n", "log_first_n", "log_if",
    "set_verbosity", "vlog", "warn", "warning",
]  # fmt: skip

DEBUG, INFO, WARN, ERROR, FATAL = 10, 20, 30, 40, 50

__getattr__ = getattr_of(__name__)

_LOCK = threading.Lock()
_COUNTS: dict[tuple[str, int], int] = {}


class _Stderr(_logging.StreamHandler[TextIO]):
    """Writes to what sys.stderr is when a message comes, not when the handler was made."""

    def __init__(self) -> None:
        _logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return _sys.stderr


def get_logger() -> _logging.Logger:
    """The logger (tf.get_logger); it writes to stderr unless logging was set up before."""
    logger = _logging.getLogger("tensorflow")
    with _LOCK:
        if not logger.handlers and not _logging.getLogger().handlers:
            handler = _Stderr()
            handler.setFormatter(_logging.Formatter(_logging.BASIC_FORMAT))
            logger.addHandler(handler)
            # else a later logging.basicConfig writes each message twice
            logger.propagate = False
    return logger


def log(level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
    """Writes `msg % args` if `level` is at least the verbosity."""
    get_logger().log(level, msg, *args, **kwargs)


def debug(msg: Any, *args: Any, **kwargs: Any) -> None:
    get_logger().debug(msg, *args, **kwargs)


def info(msg: Any, *args: Any, **kwargs: Any) -> None:
    get_logger().info(msg, *args, **kwargs)


def warning(msg: Any, *args: Any, **kwargs: Any) -> None:
    get_logger().warning(msg, *args, **kwargs)


warn = warning


def error(msg: Any, *args: Any, **kwargs: Any) -> None:
    get_logger().error(msg, *args, **kwargs)


def fatal(msg: Any, *args: Any, **kwargs: Any) -> None:
    """Writes at the highest level; the program goes on, as in TF."""
    get_logger().critical(msg, *args, **kwargs)


def vlog(level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
    get_logger().log(level, msg, *args, **kwargs)


def get_verbosity() -> int:
    """The least level that is written; WARN at first."""
    return get_logger().getEffectiveLevel()


def set_verbosity(v: int | str) -> None:
    """The least level that is written. Raises ValueError for an unknown name."""
    get_logger().setLevel(v)


def flush() -> None:
    for handler in get_logger().handlers:
        handler.flush()


def _count() -> int:
    """How often the line that called the function that calls this came here before."""
    frame = _sys._getframe(2)
    place = (frame.f_code.co_filename, frame.f_lineno)
    with _LOCK:
        _COUNTS[place] = _COUNTS.get(place, -1) + 1
        return _COUNTS[place]


def log_every_n(level: int, msg: Any, n: int, *args: Any) -> None:
    """Writes the first of every n messages that come from the same line."""
    log_if(level, msg, _count() % n == 0, *args)


def log_first_n(level: int, msg: Any, n: int, *args: Any) -> None:
    """Writes only the first n messages that come from the same line."""
    log_if(level, msg, _count() < n, *args)


def log_if(level: int, msg: Any, condition: Any, *args: Any) -> None:
    """Writes where the condition holds."""
    if condition:
        log(level, msg, *args)


def TaskLevelStatusMessage(msg: Any) -> None:
    """Writes at the level of errors, as TF does."""
    error(msg)
