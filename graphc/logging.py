"""tf.logging: messages to stderr through Python's logger "graphc".

Lives here: levels, functions, rate limits. Not here: what is logged. Imports only the standard
library.
"""

from __future__ import annotations

import logging as _logging
import threading
from typing import Any

DEBUG, INFO, WARN, ERROR, FATAL = 10, 20, 30, 40, 50

_LOCK = threading.Lock()
_COUNTS: dict[str, int] = {}


def get_logger() -> _logging.Logger:
    """The logger; it writes to stderr unless the program has set up logging itself."""
    logger = _logging.getLogger("graphc")
    with _LOCK:
        if not logger.handlers and not _logging.getLogger().handlers:
            handler = _logging.StreamHandler()
            handler.setFormatter(_logging.Formatter("%(levelname)s:%(name)s:%(message)s"))
            logger.addHandler(handler)
            logger.propagate = False
            if logger.level == _logging.NOTSET:
                logger.setLevel(WARN)
    return logger


def log(level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
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
    get_logger().critical(msg, *args, **kwargs)


def vlog(level: int, msg: Any, *args: Any, **kwargs: Any) -> None:
    get_logger().log(level, msg, *args, **kwargs)


def get_verbosity() -> int:
    return get_logger().getEffectiveLevel()


def set_verbosity(v: int | str) -> None:
    """The least level that is written. Raises ValueError for an unknown name."""
    get_logger().setLevel(v)


def flush() -> None:
    for handler in get_logger().handlers:
        handler.flush()


def _next(msg: str) -> int:
    with _LOCK:
        _COUNTS[msg] = _COUNTS.get(msg, -1) + 1
        return _COUNTS[msg]


def log_every_n(level: int, msg: str, n: int, *args: Any) -> None:
    """Writes the first of every n messages with this text."""
    log_if(level, msg, _next(msg) % n == 0, *args)


def log_first_n(level: int, msg: str, n: int, *args: Any) -> None:
    """Writes only the first n messages with this text."""
    log_if(level, msg, _next(msg) < n, *args)


def log_if(level: int, msg: str, condition: bool, *args: Any) -> None:
    if condition:
        log(level, msg, *args)


TaskLevelStatusMessage = info
