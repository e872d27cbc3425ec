"""What all models share: weights, the graph that runs them, files, and use in other graphs.

Lives here: PreTrainedModel. Not here: what a model computes. Imports sessions and variables.

A model owns its weights. Called with NumPy arrays it runs in a graph and a session of its own,
which are made at the first call; every batch size and length runs on the same plans. `build` makes
the model's variables and ops in the user's graph: the variables start with the model's weights,
and `load_variables` brings trained values back.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from graphc.ir.graph import Graph, get_default_graph
from graphc.ir.node import Tensor
from graphc.models.config import PretrainedConfig, local_folder
from graphc.models.layers import Weights
from graphc.models.parameters import Parameter
from graphc.models.weights import random_weights, read_weights, write_weights
from graphc.session import Session
from graphc.tf1.api_checks import py_func
from graphc.tf1.api_state import variables_initializer
from graphc.tf1.variable_scope import get_variable, get_variable_scope
from graphc.tf1.variable_store import store_of
from graphc.tf1.variables import Variable

__all__ = ["PreTrainedModel"]

Array = np.ndarray[Any, Any]


class PreTrainedModel:
    """A model with random weights; `from_pretrained` for those of a folder.

    Args:
        config: its sizes. seed: of the random weights; None: another one each time.

    Raises:
        TypeError: a configuration of another model.
    """

    config_class: ClassVar[type[PretrainedConfig]] = PretrainedConfig
    _weights: dict[str, Array]

    def __init__(self, config: Any, seed: int | None = None) -> None:
        self._prepare(config)
        self._weights = random_weights(self.parameters, config.initializer_range, seed)

    def _prepare(self, config: Any) -> None:
        if not isinstance(config, self.config_class):
            raise TypeError(
                f"{type(self).__name__} is made from a {self.config_class.__name__}, "
                f"got {type(config).__name__}"
            )
        self.config = config
        self.parameters: list[Parameter] = self._parameters()
        self._weights = {}
        # the scopes of each graph that hold the variables; the graphs keep these themselves
        self._scopes: weakref.WeakKeyDictionary[Graph, list[str]] = weakref.WeakKeyDictionary()
        self._lock = threading.RLock()
        self._graph: Graph | None = None
        self._session: Any = None
        self._kept: dict[Any, Any] = {}

    def _parameters(self) -> list[Parameter]:
        raise NotImplementedError

    # ------------------------------------------------------------ files
    @classmethod
    def from_pretrained(
        cls, name: Any, config: Any = None, seed: int | None = None, **changes: Any
    ) -> Self:
        """The model in a local folder.

        Args:
            name: a folder with config.json and model.safetensors (or its shards), or with a
                TensorFlow checkpoint and bert_config.json or hparams.json. With a `config`
                also the prefix of a TensorFlow checkpoint.
            seed: of weights that the files lack, such as a new classifier's.
            changes: values of the configuration that are replaced, such as num_labels.

        Raises:
            NotFoundError: no such folder, or a file is missing. DataLossError: damaged files.
            UnimplementedError: weights in a form that could run code.
            ValueError: shapes that do not fit the configuration.
        """
        source = Path(name).expanduser()
        if config is None or not Path(f"{source}.index").is_file():
            source = local_folder(name)
        if config is None:
            config = cls.config_class.from_pretrained(source, **changes)
        model = cls.__new__(cls)
        model._prepare(config)
        rng = np.random.default_rng(seed)

        def fresh(p: Parameter) -> Array:
            made = random_weights([p], config.initializer_range, int(rng.integers(1 << 31)))
            return made[p.name]

        model._weights = read_weights(source, model.parameters, fresh)
        model._opened(source)
        return model

    def _opened(self, source: Path) -> None:
        """For what else a folder may hold."""

    def save_pretrained(self, folder: Any, max_shard_size: int | str = "5GB") -> None:
        """Writes config.json and the weights as safetensors, each file at once or not at all."""
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        write_weights(path, self.parameters, self._weights, max_shard_size)
        self.config.architectures = [type(self).__name__]
        self.config.save_pretrained(path)

    def state_dict(self) -> dict[str, Array]:
        """The weights by the names of variables; the arrays are not to be written to."""
        return dict(self._weights)

    def num_parameters(self) -> int:
        return sum(value.size for value in self._weights.values())

    # ------------------------------------------------------------ graphs
    def variables(self, graph: Any = None) -> list[Variable]:
        """The variables that `build` has made in a graph, default the default graph."""
        graph = _root(graph or get_default_graph())
        scopes = self._scopes.get(graph, [])
        return [v for scope in scopes for v in self._table(graph, scope).values()]

    def _table(self, graph: Graph, scope: str) -> dict[str, Variable]:
        """The variables of a scope by the parameters' names."""
        held = store_of(graph).variables
        front = f"{scope}/" if scope else ""
        return {p.name: held[front + p.name] for p in self.parameters}

    @contextlib.contextmanager
    def _scope(self, training: Any) -> Iterator[Weights]:
        """The variables in the graph in force, below its variable scope."""
        graph = get_default_graph()
        scopes = self._scopes.setdefault(_root(graph), [])
        scope = get_variable_scope().name
        if scope not in scopes:
            for p in self.parameters:
                self._variable(p)
            scopes.append(scope)
        with graph.name_scope(type(self).__name__):
            yield Weights(self._table(graph, scope), training)

    def _variable(self, p: Parameter) -> Variable:
        owner = weakref.ref(self)
        weights = self._weights

        def value() -> Array:
            model = owner()
            return np.ascontiguousarray((model._weights if model else weights)[p.name])

        def initial(shape: Any, dtype: Any = None, partition_info: Any = None) -> Tensor:
            # read when the initializer runs: the graph holds no copy of the weights
            out: Tensor = py_func(value, [], np.float32, name="pretrained")
            out.set_shape(p.shape)
            return out

        return get_variable(p.name, p.shape, np.float32, initializer=initial)

    def load_variables(self, session: Any, graph: Any = None) -> None:
        """Takes over the values that the model's variables have in a session.

        Raises:
            ValueError: the model has not been built in the session's graph, or more than once
                under different scopes.
        """
        graph = _root(graph or session.graph)
        scopes = self._scopes.get(graph, [])
        if len(scopes) != 1:
            raise ValueError(
                f"{type(self).__name__} has been built {len(scopes)} times in that graph: its "
                "weights are taken from exactly one"
            )
        with self._lock:
            self._weights = session.run(self._table(graph, scopes[0]))
            if self._session is not None:
                for name, variable in self._table(self._session.graph, "").items():
                    variable.load(self._weights[name], self._session)

    # ------------------------------------------------------------ calls
    def _run(self, fetches: Any, feeds: Mapping[Any, Any]) -> Any:
        return self._session.run(fetches, feeds)

    @contextlib.contextmanager
    def _own(self) -> Iterator[Weights]:
        """The model's own graph, in force."""
        with self._lock:
            graph = self._graph = self._graph or Graph()
            with graph.as_default(), self._scope(False) as w:
                yield w
                if self._session is None:
                    self._session = Session(graph=graph)
                    self._session.run(variables_initializer(self.variables(graph)))

    def _memo(self, key: Any, make: Any) -> Any:
        """What `make(weights)` has made in the model's own graph, made once."""
        found = self._kept.get(key)
        if found is None:
            with self._lock:
                found = self._kept.get(key)
                if found is None:
                    with self._own() as w:
                        found = make(w)
                    self._kept[key] = found
        return found

    def close(self) -> None:
        """Frees the session of the model's own graph; another call makes a new one."""
        with self._lock:
            if self._session is not None:
                self._session.close()
            self._session = self._graph = None
            self._kept = {}


def _root(graph: Graph) -> Graph:
    """Bodies of loops and branches keep their variables in the outermost graph."""
    root: Graph = getattr(graph, "root", graph)
    return root


def ids_of(given: Any, vocabulary: int, longest: int, what: str = "input_ids") -> Array:
    """Ids as an int32 array [batch, length].

    Raises:
        ValueError: another rank, an id outside the vocabulary, or too many positions.
    """
    ids = np.asarray(given)
    if ids.ndim == 1:
        ids = ids[None]
    if ids.ndim != 2 or ids.dtype.kind not in "iu":
        raise ValueError(
            f"{what} are integers of shape [batch, length], got {ids.dtype} {list(ids.shape)}"
        )
    if ids.shape[1] > longest:
        raise ValueError(f"{what} are {ids.shape[1]} long, the model has {longest} positions")
    wrong = np.argwhere((ids < 0) | (ids >= vocabulary))
    if len(wrong):
        row, column = (int(n) for n in wrong[0])
        raise ValueError(
            f"{what}[{row}, {column}] is {ids[row, column]}, outside the vocabulary of {vocabulary}"
        )
    return np.ascontiguousarray(ids, np.int32)


def like_ids(given: Any, ids: Array, default: int, what: str, limit: int | None = None) -> Array:
    """An int32 array of the ids' shape, filled with a default where nothing is given.

    Raises:
        ValueError: another shape, or a value outside 0 .. limit - 1.
    """
    if given is None:
        return np.full(ids.shape, default, np.int32)
    values = np.asarray(given)
    if values.ndim == 1:
        values = values[None]
    if values.shape != ids.shape:
        raise ValueError(f"{what} has shape {list(values.shape)}, not {list(ids.shape)}")
    if limit is not None and values.size and not 0 <= values.min() <= values.max() < limit:
        raise ValueError(f"{what} has values outside 0 .. {limit - 1}")
    return np.ascontiguousarray(values, np.int32)
