"""Scaffold and the creators of sessions for MonitoredSession.

Lives here: Scaffold, SessionCreator, ChiefSessionCreator, WorkerSessionCreator. Not here: how a
session gets its values (session_manager.py), the sessions that run hooks (monitored_session.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from graphc.ir.graph import GraphKeys, get_default_graph
from graphc.tf1 import summary
from graphc.tf1.saver import Saver
from graphc.tf1.session_manager import (
    SessionManager,
    default_init_op,
    default_local_init_op,
    default_ready_for_local_init_op,
    default_ready_op,
)

__all__ = ["ChiefSessionCreator", "Scaffold", "SessionCreator", "WorkerSessionCreator"]

_log = logging.getLogger("tensorflow")


class Scaffold:
    """What a training session needs besides its own ops (tf.train.Scaffold).

    Args:
        init_op: default: initialises the global variables. init_feed_dict: fed to it.
        init_fn: called with (scaffold, session) after init_op.
        ready_op, ready_for_local_init_op: string tensors that name what is not initialised.
        local_init_op: default: initialises local variables and tables.
        summary_op: default: all summaries merged. saver: default: of all global variables.
        copy_from_scaffold: another Scaffold, for what is not given here.

    Raises:
        TypeError: copy_from_scaffold is no Scaffold.
    """

    def __init__(
        self,
        init_op: Any = None,
        init_feed_dict: Any = None,
        init_fn: Callable[[Scaffold, Any], Any] | None = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        local_init_op: Any = None,
        summary_op: Any = None,
        saver: Any = None,
        copy_from_scaffold: Scaffold | None = None,
        local_init_feed_dict: Any = None,
    ) -> None:
        given: dict[str, Any] = {
            "init_op": init_op, "init_feed_dict": init_feed_dict, "ready_op": ready_op,
            "ready_for_local_init_op": ready_for_local_init_op, "local_init_op": local_init_op,
            "local_init_feed_dict": local_init_feed_dict, "summary_op": summary_op,
            "saver": saver,
        }  # fmt: skip
        copied = copy_from_scaffold
        if copied is not None:
            if not isinstance(copied, Scaffold):
                raise TypeError("copy_from_scaffold is not a Scaffold instance.")
            given = {k: getattr(copied, k) if v is None else v for k, v in given.items()}
        self._given = given
        self._init_fn: Callable[[Any], Any] | None = None
        if init_fn is not None:
            self._init_fn = lambda session: init_fn(self, session)
        elif copied is not None:
            self._init_fn = copied.init_fn

    init_op = property(lambda self: self._given["init_op"])
    init_feed_dict = property(lambda self: self._given["init_feed_dict"])
    ready_op = property(lambda self: self._given["ready_op"])
    ready_for_local_init_op = property(lambda self: self._given["ready_for_local_init_op"])
    local_init_op = property(lambda self: self._given["local_init_op"])
    local_init_feed_dict = property(lambda self: self._given["local_init_feed_dict"])
    summary_op = property(lambda self: self._given["summary_op"])
    saver = property(lambda self: self._given["saver"])

    @property
    def init_fn(self) -> Callable[[Any], Any] | None:
        """A function of the session."""
        return self._init_fn

    def finalize(self) -> Scaffold:
        """Makes what was not given, builds the saver and finalizes the default graph."""
        made = self._given
        keys = GraphKeys
        defaults: dict[str, tuple[str, Callable[[], Any]]] = {
            "init_op": (keys.INIT_OP, default_init_op),
            "ready_op": (keys.READY_OP, default_ready_op),
            "ready_for_local_init_op": (
                keys.READY_FOR_LOCAL_INIT_OP, default_ready_for_local_init_op,
            ),
            "local_init_op": (keys.LOCAL_INIT_OP, default_local_init_op),
            "summary_op": (keys.SUMMARY_OP, summary.merge_all),
        }  # fmt: skip
        for name, (key, make) in defaults.items():
            if made[name] is None:
                made[name] = Scaffold.get_or_default(name, key, make)
        if made["saver"] is None:
            made["saver"] = saver_or_default()
        made["saver"].build()
        get_default_graph().finalize()
        _log.info("Graph was finalized.")
        return self

    @staticmethod
    def get_or_default(
        arg_name: str, collection_key: str, default_constructor: Callable[[], Any]
    ) -> Any:
        """The only item of a collection; where it is empty, a new one, which is added to it.

        Raises:
            RuntimeError: several items.
        """
        graph = get_default_graph()
        found = graph.get_collection(collection_key)
        if len(found) > 1:
            raise RuntimeError(
                f"More than one item in the collection {collection_key!r}. Please indicate which "
                f"one to use by passing it to the tf.Scaffold constructor as:  "
                f"tf.Scaffold({arg_name}=item to use)"
            )
        if found:
            return found[0]
        made = default_constructor()
        if made is not None:
            graph.add_to_collection(collection_key, made)
        return made

    @staticmethod
    def default_local_init_op() -> Any:
        """An op that initialises local variables and tables."""
        return default_local_init_op()


def saver_or_default() -> Saver:
    """The only Saver of SAVERS, or a new one of all variables, which is added there.

    Raises:
        RuntimeError: several of them.
    """
    graph = get_default_graph()
    found = graph.get_collection(GraphKeys.SAVERS)
    if len(found) > 1:
        raise RuntimeError(
            f"More than one item in collection {GraphKeys.SAVERS}. Please indicate which one to "
            "use by passing it to the constructor."
        )
    if found:
        saver: Saver = found[0]
        return saver
    saver = Saver(sharded=True, allow_empty=True)
    graph.add_to_collection(GraphKeys.SAVERS, saver)
    return saver


class SessionCreator:
    """Makes the session of a MonitoredSession, at first and after each failure."""

    def create_session(self) -> Any:
        raise NotImplementedError(
            f"create_session is not implemented for {type(self).__name__}."
        )


class ChiefSessionCreator(SessionCreator):
    """Restores or initialises variables (tf.train.ChiefSessionCreator)."""

    def __init__(
        self,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: Any = None,
        checkpoint_filename_with_path: Any = None,
    ) -> None:
        self._checkpoint_dir = checkpoint_dir
        self._checkpoint_filename_with_path = checkpoint_filename_with_path
        self._scaffold = scaffold or Scaffold()
        self._session_manager: SessionManager | None = None
        self._master = master
        self._config = config

    def _manager(self) -> SessionManager:
        if self._session_manager is None:
            self._session_manager = _manager_of(self._scaffold)
        return self._session_manager

    def create_session(self) -> Any:
        """The session, ready to run.

        Raises:
            RuntimeError: variables that nothing initialises.
        """
        scaffold = self._scaffold.finalize()
        return self._manager().prepare_session(
            self._master,
            saver=scaffold.saver,
            checkpoint_dir=self._checkpoint_dir,
            checkpoint_filename_with_path=self._checkpoint_filename_with_path,
            config=self._config,
            init_op=scaffold.init_op,
            init_feed_dict=scaffold.init_feed_dict,
            init_fn=scaffold.init_fn,
        )


class WorkerSessionCreator(SessionCreator):
    """Waits for variables that a chief initialises (tf.train.WorkerSessionCreator)."""

    def __init__(
        self,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        max_wait_secs: float | None = 30 * 60,
    ) -> None:
        self._scaffold = scaffold or Scaffold()
        self._session_manager: SessionManager | None = None
        self._master = master
        self._config = config
        self._max_wait_secs = max_wait_secs

    def _manager(self) -> SessionManager:
        if self._session_manager is None:
            self._session_manager = _manager_of(self._scaffold)
        return self._session_manager

    def create_session(self) -> Any:
        self._scaffold.finalize()
        return self._manager().wait_for_session(
            self._master, config=self._config, max_wait_secs=self._max_wait_secs
        )


def _manager_of(scaffold: Scaffold) -> SessionManager:
    return SessionManager(
        local_init_op=scaffold.local_init_op,
        local_init_feed_dict=scaffold.local_init_feed_dict,
        ready_op=scaffold.ready_op,
        ready_for_local_init_op=scaffold.ready_for_local_init_op,
        graph=get_default_graph(),
    )
