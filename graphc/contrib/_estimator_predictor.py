"""tf.contrib.predictor.from_estimator: an Estimator's newest checkpoint as a function of arrays.

Lives here: from_estimator. Not here: Predictor, SavedModels (tf1/saved_model_loader.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc.estimator.export_output import PredictOutput
from graphc.estimator.model_fn import ModeKeys
from graphc.ir.graph import Graph
from graphc.tf1.saved_model_loader import Predictor
from graphc.tf1.session_manager import SessionManager
from graphc.tf1.session_scaffold import Scaffold

__all__ = ["from_contrib_estimator", "from_estimator"]


def from_estimator(
    estimator: Any,
    serving_input_receiver_fn: Callable[[], Any],
    output_key: str | None = None,
    graph: Graph | None = None,
    config: Any = None,
) -> Predictor:
    """A Predictor of an Estimator's newest checkpoint.

    Args:
        serving_input_receiver_fn: its receiver_tensors are the inputs. output_key: which of
            export_outputs, default all predictions. graph: default a new one.

    Raises:
        ValueError: nothing has been trained, or there is no such output.
    """
    # contrib.learn's estimators run on one of tf.estimator
    inner = getattr(estimator, "_inner", estimator)
    path = inner.latest_checkpoint()
    if path is None:
        raise ValueError(f"Couldn't find trained model at {inner.model_dir}.")
    with inner._new_graph(graph or Graph()) as used:
        inner._made_global_step()
        receiver = serving_input_receiver_fn()
        spec = inner._call_model_fn(receiver.features, None, ModeKeys.PREDICT, inner.config)
        fetches = _fetches(spec, output_key)
        scaffold: Scaffold = spec.scaffold.finalize()
        manager = SessionManager(
            local_init_op=scaffold.local_init_op, ready_op=scaffold.ready_op,
            ready_for_local_init_op=scaffold.ready_for_local_init_op, graph=used,
        )  # fmt: skip
        session = manager.prepare_session(
            saver=scaffold.saver, checkpoint_filename_with_path=path, config=config
        )
    return Predictor(session, receiver.receiver_tensors, fetches)


def _fetches(spec: Any, output_key: str | None) -> dict[str, Any]:
    if output_key is None:
        found = spec.predictions
        return dict(found) if isinstance(found, dict) else {"output": found}
    outputs = spec.export_outputs or {}
    if output_key not in outputs:
        raise ValueError(
            f"output_key must be one of {sorted(outputs)} but was {output_key}"
        )
    output = outputs[output_key]
    if isinstance(output, PredictOutput):
        return output.outputs
    parts = {name: getattr(output, name, None) for name in ("scores", "classes", "value")}
    return {name: tensor for name, tensor in parts.items() if tensor is not None}


from_contrib_estimator = from_estimator
