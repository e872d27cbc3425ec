"""SessionManager: makes sessions whose variables are restored or initialised.

Lives here: SessionManager and the ops that it is mostly given. Not here: Scaffold and creators
(session_scaffold.py), Supervisor. Imports session and tf1.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.errors import DeadlineExceededError, FailedPreconditionError
from graphc.ir.graph import Graph, GraphKeys, get_default_graph
from graphc.session import Session
from graphc.tf1.api_state import (
    global_variables,
    global_variables_initializer,
    local_variables_initializer,
    report_uninitialized_variables,
)
from graphc.tf1.checkpoint_state import get_checkpoint_state
from graphc.tf1.ops_misc import group

__all__ = ["SessionManager"]

_log = logging.getLogger("tensorflow")
Readiness = tuple[bool, str | None]


# ------------------------------------------------------------------ the usual ops
def default_init_op() -> Any:
    """Initialises the global variables."""
    return global_variables_initializer()


def default_local_init_op() -> Any:
    """Initialises the local variables and the tables."""
    tables = get_default_graph().get_collection(GraphKeys.TABLE_INITIALIZERS)
    return group(local_variables_initializer(), *tables, name="local_init")


def default_ready_op() -> Any:
    """Names of the variables that are not initialised: none means ready."""
    return report_uninitialized_variables()


def default_ready_for_local_init_op() -> Any:
    """As default_ready_op, for global variables alone."""
    return report_uninitialized_variables(global_variables())


# ------------------------------------------------------------------ the manager
class SessionManager:
    """Restores a session from a checkpoint or initialises it (tf.train.SessionManager).

    Args:
        local_init_op: run in each new session. ready_op: a string tensor that names what is not
            initialised. ready_for_local_init_op: as ready_op, before local_init_op.
        graph: default the default graph. recovery_wait_secs: time between looks for a checkpoint.

    Raises:
        ValueError: ready_for_local_init_op without local_init_op.
    """

    def __init__(
        self,
        local_init_op: Any = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        graph: Graph | None = None,
        recovery_wait_secs: float = 30,
        local_init_run_options: Any = None,
        local_init_feed_dict: Any = None,
    ) -> None:
        self._local_init_op = local_init_op
        self._ready_op = ready_op
        self._ready_for_local_init_op = ready_for_local_init_op
        self._graph = graph or get_default_graph()
        self._recovery_wait_secs = recovery_wait_secs
        self._local_init_run_options = local_init_run_options
        self._local_init_feed_dict = local_init_feed_dict
        if ready_for_local_init_op is not None and local_init_op is None:
            raise ValueError(
                "If you pass a ready_for_local_init_op you must also pass a local_init_op "
                f", ready_for_local_init_op [{ready_for_local_init_op}]"
            )

    def _restored(
        self,
        master: str,
        saver: Any,
        checkpoint_dir: Any,
        checkpoint_filename_with_path: Any,
        wait_for_checkpoint: bool,
        max_wait_secs: float,
        config: Any,
    ) -> tuple[Session, bool]:
        """A new session, and whether a checkpoint was restored into it."""
        if checkpoint_dir and checkpoint_filename_with_path:
            raise ValueError(
                "Can not provide both checkpoint_dir and checkpoint_filename_with_path."
            )
        session = Session(master, graph=self._graph, config=config)
        if saver is None or not (checkpoint_dir or checkpoint_filename_with_path):
            return session, False
        if checkpoint_filename_with_path:
            saver.restore(session, checkpoint_filename_with_path)
            return session, True
        waited = 0.0
        state = get_checkpoint_state(checkpoint_dir)
        while state is None:
            if not wait_for_checkpoint or waited >= max_wait_secs:
                return session, False
            _log.info("Waiting for checkpoint to be available.")
            time.sleep(self._recovery_wait_secs)
            waited += self._recovery_wait_secs
            state = get_checkpoint_state(checkpoint_dir)
        saver.restore(session, state.model_checkpoint_path)
        saver.recover_last_checkpoints(state.all_model_checkpoint_paths)
        return session, True

    def prepare_session(
        self,
        master: str = "",
        init_op: Any = None,
        saver: Any = None,
        checkpoint_dir: Any = None,
        checkpoint_filename_with_path: Any = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        config: Any = None,
        init_feed_dict: Any = None,
        init_fn: Callable[[Any], Any] | None = None,
    ) -> Session:
        """A session that is ready: restored from the newest checkpoint, else initialised.

        Raises:
            RuntimeError: there is nothing to initialise with, or variables stay uninitialised.
            ValueError: checkpoint_dir and checkpoint_filename_with_path.
        """
        session, loaded = self._restored(
            master, saver, checkpoint_dir, checkpoint_filename_with_path, wait_for_checkpoint,
            max_wait_secs, config,
        )  # fmt: skip
        if not loaded:
            if init_op is None and not init_fn and self._local_init_op is None:
                raise RuntimeError(
                    "Model is not initialized and no init_op or init_fn or local_init_op was given"
                )
            if init_op is not None:
                session.run(init_op, feed_dict=init_feed_dict)
            if init_fn:
                init_fn(session)
        done, message = self._try_run_local_init_op(session)
        if not done:
            raise RuntimeError(
                "Init operations did not make model ready for local_init.  Init op: "
                f"{_name_of(init_op)}, init fn: {init_fn}, error: {message}"
            )
        ready, message = self._model_ready(session)
        if not ready:
            raise RuntimeError(
                f"Init operations did not make model ready.  Init op: {_name_of(init_op)}, init "
                f"fn: {init_fn}, local_init_op: {_name_of(self._local_init_op)}, error: {message}"
            )
        return session

    def recover_session(
        self,
        master: str = "",
        saver: Any = None,
        checkpoint_dir: Any = None,
        checkpoint_filename_with_path: Any = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        config: Any = None,
    ) -> tuple[Session, bool]:
        """(session, whether it is restored and ready): never initialises global variables."""
        session, loaded = self._restored(
            master, saver, checkpoint_dir, checkpoint_filename_with_path, wait_for_checkpoint,
            max_wait_secs, config,
        )  # fmt: skip
        done, local_message = self._try_run_local_init_op(session)
        if not loaded:
            return session, False
        source = checkpoint_dir or checkpoint_filename_with_path
        if not done:
            _log.info(
                "Restoring model from %s did not make model ready for local init: %s",
                source, local_message,
            )  # fmt: skip
            return session, False
        ready, message = self._model_ready(session)
        if not ready:
            _log.info("Restoring model from %s did not make model ready: %s", source, message)
            return session, False
        _log.info("Restored model from %s", source)
        return session, loaded

    def wait_for_session(
        self, master: str = "", config: Any = None, max_wait_secs: float | None = float("inf")
    ) -> Session:
        """A session whose variables another process initialises: waits until they are.

        Sessions of graphc share no variables, so this is only ready where ready_op needs none.

        Raises:
            DeadlineExceededError: not ready after max_wait_secs.
        """
        limit = float("inf") if max_wait_secs is None else max_wait_secs
        end = time.monotonic() + limit
        while True:
            session = Session(master, graph=self._graph, config=config)
            done, local_message = self._try_run_local_init_op(session)
            message: str | None = None
            if done:
                ready, message = self._model_ready(session)
                if ready:
                    return session
            self._safe_close(session)
            if time.monotonic() + self._recovery_wait_secs > end:
                raise DeadlineExceededError(
                    None, None, f"Session was not ready after waiting {max_wait_secs} secs."
                )
            _log.info(
                "Waiting for model to be ready.  Ready_for_local_init_op:  %s, ready: %s",
                local_message, message,
            )  # fmt: skip
            time.sleep(self._recovery_wait_secs)

    @staticmethod
    def _safe_close(session: Session) -> None:
        with contextlib.suppress(Exception):
            session.close()

    def _model_ready(self, session: Session) -> Readiness:
        return _ready(self._ready_op, session, "Model not ready")

    def _try_run_local_init_op(self, session: Session) -> Readiness:
        if self._local_init_op is None:
            return True, None
        ready, message = _ready(
            self._ready_for_local_init_op, session, "Model not ready for local init"
        )
        if not ready:
            return False, message
        _log.info("Running local_init_op.")
        session.run(
            self._local_init_op,
            feed_dict=self._local_init_feed_dict,
            options=self._local_init_run_options,
        )
        _log.info("Done running local_init_op.")
        return True, None


def _ready(op: Any, session: Session, context: str) -> Readiness:
    if op is None:
        return True, None
    try:
        value = session.run(op)
    except FailedPreconditionError as err:
        if "uninitialized" not in str(err):
            _log.warning("%s : error [%s]", context, err)
            raise
        return False, str(err)
    # older scripts use ops without a result, or an int32
    if value is None or value.dtype == np.int32 or value.size == 0:
        return True, None
    names = ", ".join(v.decode() if isinstance(v, bytes) else str(v) for v in np.ravel(value))
    return False, f"Variables not initialized: {names}"


def _name_of(op: Any) -> str | None:
    return None if op is None else op.name if hasattr(op, "name") else str(op)
