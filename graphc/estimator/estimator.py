"""Estimator: trains, evaluates and predicts with the graph that a model_fn builds.

Lives here: Estimator. Not here: what model_fn returns (model_fn.py), how the user's functions
are called (calling.py), SavedModels (exporting.py), models that are there already (dnn.py, ...).
"""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from graphc import logging
from graphc.errors import OutOfRangeError
from graphc.estimator.calling import (
    call_input_fn,
    call_model_fn,
    checked_hooks,
    checked_model_fn,
    config_with,
    ends,
    examples,
    metrics_of,
    parse_input,
    selected,
)
from graphc.estimator.model_fn import EstimatorSpec, ModeKeys
from graphc.ir.graph import Graph, GraphKeys
from graphc.tf1 import summary
from graphc.tf1.api_state import create_global_step, get_global_step
from graphc.tf1.checkpoint_state import latest_checkpoint, load_checkpoint, load_variable
from graphc.tf1.evaluation import StopAfterNEvalsHook, evaluate_once, write_values
from graphc.tf1.monitored_session import MonitoredSession, MonitoredTrainingSession
from graphc.tf1.saver import Saver
from graphc.tf1.session_hooks import SessionRunHook
from graphc.tf1.session_hooks_basic import LoggingTensorHook, NanTensorHook, StopAtStepHook
from graphc.tf1.session_hooks_save import CheckpointSaverHook, CheckpointSaverListener
from graphc.tf1.session_scaffold import ChiefSessionCreator

__all__ = ["Estimator"]

Hooks = Sequence[SessionRunHook] | None


class Estimator:
    """Trains, evaluates and predicts (tf.estimator.Estimator).

    Args:
        model_fn: a function of features, labels, mode, params, config (those that it names) that
            returns an EstimatorSpec. model_dir: where checkpoints are; default that of config, else
            a temporary directory. config: a RunConfig. params: given to model_fn and input_fn.
        warm_start_from: a checkpoint, SavedModel directory or WarmStartSettings: initial values
            of a training that has no checkpoint of its own.

    Raises:
        ValueError: arguments that do not fit each other.
    """

    def __init__(
        self,
        model_fn: Callable[..., EstimatorSpec] | None,
        model_dir: Any = None,
        config: Any = None,
        params: Any = None,
        warm_start_from: Any = None,
    ) -> None:
        if model_fn is None:
            raise ValueError("model_fn must be provided to Estimator.")
        self._config = config_with(config, model_dir)
        checked_model_fn(model_fn, params)
        self._model_fn = model_fn
        self._params = copy.deepcopy(params if params is not None else {})
        self._model_dir: str = self._config.model_dir
        self._session_config = self._config.session_config
        self._warm_start_settings = None
        if warm_start_from is not None:
            from graphc.estimator.warm_start import settings_of

            self._warm_start_settings = settings_of(warm_start_from)
        logging.info("Using config: %s", str(vars(self._config)))

    # ------------------------------------------------------------ what it is
    @property
    def model_dir(self) -> str:
        return self._model_dir

    @property
    def config(self) -> Any:
        return copy.deepcopy(self._config)

    @property
    def params(self) -> Any:
        return copy.deepcopy(self._params)

    @property
    def model_fn(self) -> Callable[..., EstimatorSpec]:
        """A function of features, labels, mode and config."""

        def public(features: Any, labels: Any, mode: str, config: Any) -> EstimatorSpec:
            return self._call_model_fn(features, labels, mode, config)

        return public

    def eval_dir(self, name: str | None = None) -> str:
        """Where evaluations of this name write their summaries."""
        folder = "eval" if not name else f"eval_{name}"
        return os.path.join(self._model_dir, folder)  # noqa: PTH118

    def latest_checkpoint(self) -> str | None:
        """The prefix of the newest checkpoint of model_dir, or None."""
        return latest_checkpoint(self._model_dir)

    def get_variable_names(self) -> list[str]:
        """The names of all values of the newest checkpoint.

        Raises:
            ValueError: nothing has been trained.
        """
        self._check_trained()
        return sorted(load_checkpoint(self._model_dir).get_variable_to_shape_map())

    def get_variable_value(self, name: str) -> Any:
        """A value of the newest checkpoint.

        Raises:
            ValueError: nothing has been trained. NotFoundError: another name.
        """
        self._check_trained()
        return load_variable(self._model_dir, name)

    def _check_trained(self) -> None:
        if self.latest_checkpoint() is None:
            raise ValueError(f"Could not find trained model in model_dir: {self._model_dir}.")

    # ------------------------------------------------------------ training
    def train(
        self,
        input_fn: Callable[..., Any],
        hooks: Hooks = None,
        steps: int | None = None,
        max_steps: int | None = None,
        saving_listeners: Sequence[CheckpointSaverListener] | None = None,
    ) -> Estimator:
        """Trains from the newest checkpoint on, until the input ends or so many steps are done.

        Args:
            input_fn: returns a Dataset, (features, labels) or features; it may take mode, params,
                config. steps: so many more steps. max_steps: in all; nothing happens where the
                checkpoint has come to it. saving_listeners: told of each checkpoint.

        Raises:
            ValueError: both limits, or one that is not positive.
            NanLossDuringTrainingError: the loss became NaN.
        """
        if steps is not None and max_steps is not None:
            raise ValueError("Can not provide both steps and max_steps.")
        if steps is not None and steps <= 0:
            raise ValueError(f"Must specify steps > 0, given: {steps}")
        if max_steps is not None and max_steps <= 0:
            raise ValueError(f"Must specify max_steps > 0, given: {max_steps}")
        if max_steps is not None and self._last_step() >= max_steps:
            logging.info("Skipping training since max_steps has already saved.")
            return self
        all_hooks = checked_hooks(hooks)
        if steps is not None or max_steps is not None:
            all_hooks.append(StopAtStepHook(steps, max_steps))
        listeners = list(saving_listeners or ())
        for listener in listeners:
            if not isinstance(listener, CheckpointSaverListener):
                raise TypeError(
                    "saving_listeners must be a list of CheckpointSaverListener, given: "
                    f"{listener}"
                )
        loss = self._train_model(input_fn, all_hooks, listeners)
        logging.info("Loss for final step: %s.", loss)
        return self

    def _last_step(self) -> int:
        """The step of the newest checkpoint, 0 without one."""
        found = self.latest_checkpoint()
        if found is None:
            return 0
        reader = load_checkpoint(found)
        return int(reader.get_tensor("global_step")) if reader.has_tensor("global_step") else 0

    def _train_model(
        self,
        input_fn: Callable[..., Any],
        hooks: list[SessionRunHook],
        listeners: list[CheckpointSaverListener],
    ) -> Any:
        with self._new_graph():
            step = self._made_global_step()
            features, labels, input_hooks = self._input(input_fn, ModeKeys.TRAIN)
            spec = self._call_model_fn(features, labels, ModeKeys.TRAIN, self.config)
            if get_global_step() is not step:
                logging.warning("The global step has been replaced by another variable.")
            if self._warm_start_settings is not None and self.latest_checkpoint() is None:
                from graphc.estimator.warm_start import apply

                apply(self._warm_start_settings)
            return self._train_with(spec, [*input_hooks, *hooks], step, listeners)

    def _train_with(
        self,
        spec: EstimatorSpec,
        worker_hooks: list[SessionRunHook],
        step: Any,
        listeners: list[CheckpointSaverListener],
    ) -> Any:
        graph, config = spec.loss.graph, self._config
        if not any(s.op.name == "loss" for s in graph.get_collection(GraphKeys.SUMMARIES)):
            summary.scalar("loss", spec.loss)
        graph.add_to_collection(GraphKeys.LOSSES, spec.loss)
        worker_hooks = [*worker_hooks, NanTensorHook(spec.loss)]
        if config.log_step_count_steps is not None:
            worker_hooks.append(
                LoggingTensorHook(
                    {"loss": spec.loss, "step": step}, every_n_iter=config.log_step_count_steps
                )
            )
        worker_hooks += spec.training_hooks
        if spec.scaffold.saver is None and not graph.get_collection(GraphKeys.SAVERS):
            saver = Saver(
                sharded=True,
                max_to_keep=config.keep_checkpoint_max,
                keep_checkpoint_every_n_hours=config.keep_checkpoint_every_n_hours,
                defer_build=True,
                save_relative_paths=True,
            )
            graph.add_to_collection(GraphKeys.SAVERS, saver)
        chief_hooks = self._saver_hooks(spec, worker_hooks, listeners)
        with MonitoredTrainingSession(
            checkpoint_dir=self._model_dir,
            scaffold=spec.scaffold,
            hooks=worker_hooks,
            chief_only_hooks=[*chief_hooks, *spec.training_chief_hooks],
            save_checkpoint_secs=0,
            save_summaries_steps=config.save_summary_steps,
            config=self._session_config,
            log_step_count_steps=config.log_step_count_steps,
        ) as session:
            loss = None
            while not session.should_stop():
                _, loss = session.run([spec.train_op, spec.loss])
        if loss is None:
            logging.warning(
                "Training with estimator made no steps. Perhaps input is empty or misspecified."
            )
        return loss

    def _saver_hooks(
        self,
        spec: EstimatorSpec,
        hooks: list[SessionRunHook],
        listeners: list[CheckpointSaverListener],
    ) -> list[SessionRunHook]:
        """The hook that saves checkpoints, where the user has none; listeners are told it."""
        own = [
            h for h in (*hooks, *spec.training_chief_hooks) if isinstance(h, CheckpointSaverHook)
        ]
        made: list[SessionRunHook] = []
        config = self._config
        if (config.save_checkpoints_secs or config.save_checkpoints_steps) and not own:
            hook = CheckpointSaverHook(
                self._model_dir,
                save_secs=config.save_checkpoints_secs,
                save_steps=config.save_checkpoints_steps,
                scaffold=spec.scaffold,
            )
            own, made = [hook], [hook]
        if listeners:
            if not own:
                raise ValueError(
                    "There should be a CheckpointSaverHook to use saving_listeners. Please set one "
                    "of the RunConfig.save_checkpoints_steps or RunConfig.save_checkpoints_secs."
                )
            own[0]._listeners.extend(listeners)
        return made

    # ------------------------------------------------------------ evaluating
    def evaluate(
        self,
        input_fn: Callable[..., Any],
        steps: int | None = None,
        hooks: Hooks = None,
        checkpoint_path: Any = None,
        name: str | None = None,
    ) -> dict[str, Any]:
        """The metrics of the newest checkpoint, with "loss" and "global_step".

        Args:
            steps: batches to evaluate; None until the input ends. checkpoint_path: another
                checkpoint. name: summaries go to eval_dir(name).

        Raises:
            ValueError: steps that are not positive, metrics of a reserved name.
        """
        all_hooks = checked_hooks(hooks)
        if steps is not None:
            if steps <= 0:
                raise ValueError(f"Must specify steps > 0, given: {steps}")
            all_hooks.append(StopAfterNEvalsHook(num_evals=steps))
        path = self._checkpoint(checkpoint_path, "evaluate")
        with self._new_graph():
            step = self._made_global_step()
            features, labels, input_hooks = self._input(input_fn, ModeKeys.EVAL)
            spec = self._call_model_fn(features, labels, ModeKeys.EVAL, self.config)
            update, values = metrics_of(spec, step)
            results = evaluate_once(
                checkpoint_path=path,
                scaffold=spec.scaffold,
                eval_ops=update,
                final_ops=values,
                hooks=[*input_hooks, *all_hooks, *spec.evaluation_hooks],
                config=self._session_config,
            )
            folder = self.eval_dir(name)
            text = ", ".join(f"{k} = {v!s}" for k, v in sorted(results.items()))
            logging.info(
                "Saving dict for global step %d: %s", results[GraphKeys.GLOBAL_STEP], text
            )
            write_values(folder, results, int(results[GraphKeys.GLOBAL_STEP]))
        return results

    # ------------------------------------------------------------ predicting
    def predict(
        self,
        input_fn: Callable[..., Any],
        predict_keys: Any = None,
        hooks: Hooks = None,
        checkpoint_path: Any = None,
        yield_single_examples: bool = True,
    ) -> Iterator[Any]:
        """The predictions of each example, as they are asked for.

        Args:
            predict_keys: only these. yield_single_examples: False gives whole batches.

        Yields:
            a dict of arrays by name, or an array where predictions is one tensor.

        Raises:
            ValueError: batches of different lengths, keys that are not there.
        """
        all_hooks = checked_hooks(hooks)
        path = self._checkpoint(checkpoint_path, "predict")
        graph = Graph()
        with self._new_graph(graph):
            self._made_global_step()
            features, _, input_hooks = self._input(input_fn, ModeKeys.PREDICT)
            if not ends(graph):
                logging.warning(
                    "Input graph does not use tf.data.Dataset or contain a QueueRunner. That means "
                    "predict yields forever. This is probably a mistake."
                )
            spec = self._call_model_fn(features, None, ModeKeys.PREDICT, self.config)
            predictions = selected(spec.predictions, predict_keys)
            session = MonitoredSession(
                ChiefSessionCreator(
                    checkpoint_filename_with_path=path,
                    scaffold=spec.scaffold,
                    config=self._session_config,
                ),
                hooks=[*input_hooks, *all_hooks, *spec.prediction_hooks],
            )
        # no graph is left as the default one while the caller has the word
        with contextlib.ExitStack() as stack:
            stack.push(_closing(session, graph))
            while not session.should_stop():
                with graph.as_default():
                    try:
                        values = session.run(predictions)
                    except (OutOfRangeError, StopIteration):
                        break
                yield from examples(values, yield_single_examples)

    # ------------------------------------------------------------ exporting
    def export_saved_model(
        self,
        export_dir_base: Any,
        serving_input_receiver_fn: Callable[[], Any],
        assets_extra: Mapping[str, Any] | None = None,
        as_text: bool = False,
        checkpoint_path: Any = None,
        experimental_mode: str = ModeKeys.PREDICT,
    ) -> bytes:
        """Writes a SavedModel into a directory named by the time; returns its path as bytes.

        Raises:
            ValueError: nothing has been trained, or the model has no export_outputs.
        """
        from graphc.estimator.exporting import export_all

        return export_all(
            self, export_dir_base, {experimental_mode: serving_input_receiver_fn}, assets_extra,
            as_text, checkpoint_path,
        )  # fmt: skip

    def export_savedmodel(
        self,
        export_dir_base: Any,
        serving_input_receiver_fn: Callable[[], Any],
        assets_extra: Mapping[str, Any] | None = None,
        as_text: bool = False,
        checkpoint_path: Any = None,
        strip_default_attrs: bool = False,
    ) -> bytes:
        """The older name of export_saved_model."""
        return self.export_saved_model(
            export_dir_base, serving_input_receiver_fn, assets_extra, as_text, checkpoint_path
        )

    def experimental_export_all_saved_models(
        self,
        export_dir_base: Any,
        input_receiver_fn_map: Mapping[str, Callable[[], Any]],
        assets_extra: Mapping[str, Any] | None = None,
        as_text: bool = False,
        checkpoint_path: Any = None,
    ) -> bytes:
        """One SavedModel with a graph for each mode."""
        from graphc.estimator.exporting import export_all

        return export_all(
            self, export_dir_base, input_receiver_fn_map, assets_extra, as_text, checkpoint_path
        )

    # ------------------------------------------------------------ shared
    @contextlib.contextmanager
    def _new_graph(self, graph: Graph | None = None) -> Iterator[Graph]:
        graph = graph or Graph()
        with graph.as_default(), graph.device(self._config.device_fn):
            graph.seed = self._config.tf_random_seed
            yield graph

    def _made_global_step(self) -> Any:
        """The step that an overriding _create_global_step makes, or the usual one."""
        return create_global_step()

    def _checkpoint(self, given: Any, purpose: str) -> str | None:
        found = os.fspath(given) if given else self.latest_checkpoint()
        if not found:
            logging.info(
                "Could not find trained model in model_dir: %s, running initialization to %s.",
                self._model_dir, purpose,
            )  # fmt: skip
        return found

    def _input(self, input_fn: Callable[..., Any], mode: str) -> tuple[Any, Any, list[Any]]:
        """(features, labels, hooks) of an input function."""
        got = call_input_fn(input_fn, mode, self.params, self.config)
        return parse_input(got)

    def _call_model_fn(
        self, features: Any, labels: Any, mode: str, config: Any
    ) -> EstimatorSpec:
        return call_model_fn(self._model_fn, features, labels, mode, self.params, config)


def _closing(session: MonitoredSession, graph: Graph) -> Callable[..., bool]:
    """Closes a session under its own graph when the generator ends, however it does."""

    def close(kind: Any, error: Any, traceback: Any) -> bool:
        with graph.as_default():
            session.__exit__(None if kind is GeneratorExit else kind, error, traceback)
        return False

    return close
