"""SavedModels of Estimators.

Lives here: export_all, which builds the graphs and their signatures. Not here: the format
(tf1/saved_model.py), exporters that train_and_evaluate calls (exporter.py).
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from graphc import logging
from graphc.estimator.export_output import PredictOutput
from graphc.estimator.model_fn import EstimatorSpec, ModeKeys
from graphc.ir.graph import Graph, GraphKeys
from graphc.session import Session
from graphc.tf1.saved_model import SavedModelBuilder
from graphc.tf1.saver import Saver
from graphc.tf1.session_scaffold import Scaffold

_TAGS = {ModeKeys.TRAIN: "train", ModeKeys.EVAL: "eval", ModeKeys.PREDICT: "serve"}
_SERVING_DEFAULT = "serving_default"


def export_all(
    estimator: Any,
    export_dir_base: Any,
    receiver_fns: Mapping[str, Callable[[], Any]],
    assets_extra: Mapping[str, Any] | None,
    as_text: bool,
    checkpoint_path: Any,
) -> bytes:
    """Writes a SavedModel with a MetaGraph for each mode; its path as bytes.

    Raises:
        ValueError: no checkpoint, no function for any mode, a model without export_outputs.
    """
    if not receiver_fns or any(fn is None for fn in receiver_fns.values()):
        raise ValueError("serving_input_receiver_fn must be defined.")
    path = os.fspath(checkpoint_path) if checkpoint_path else estimator.latest_checkpoint()
    if not path:
        raise ValueError(f"Couldn't find trained model at {estimator.model_dir}.")
    target = timestamped_dir(export_dir_base)
    work = target.with_name(f"temp-{target.name}")
    builder = SavedModelBuilder(str(work))
    with_variables = True
    # the served graph has no variables of the optimizer: others come first, to write them all
    for mode in (ModeKeys.TRAIN, ModeKeys.EVAL, ModeKeys.PREDICT):
        if mode in receiver_fns:
            _add(estimator, builder, mode, receiver_fns[mode], path, with_variables)
            with_variables = False
    builder.save(as_text)
    for name, source in (assets_extra or {}).items():
        place = work / "assets.extra" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(os.fspath(source), place)
    work.rename(target)
    logging.info("SavedModel written to: %s", target)
    return str(target).encode()


def timestamped_dir(base: Any) -> Path:
    """A new directory name below `base`: the time in seconds, later ones where it is taken."""
    folder = Path(os.fspath(base) if not isinstance(base, bytes) else base.decode())
    folder.mkdir(parents=True, exist_ok=True)
    stamp = int(time.time())
    while (folder / str(stamp)).exists() or (folder / f"temp-{stamp}").exists():
        stamp += 1
    return folder / str(stamp)


def _add(
    estimator: Any,
    builder: SavedModelBuilder,
    mode: str,
    receiver_fn: Callable[[], Any],
    checkpoint: str,
    with_variables: bool,
) -> None:
    with estimator._new_graph(Graph()) as graph:
        estimator._made_global_step()
        receiver = receiver_fn()
        labels = getattr(receiver, "labels", None)
        spec = estimator._call_model_fn(receiver.features, labels, mode, estimator.config)
        signatures = signatures_of(spec, receiver, mode)
        scaffold = spec.scaffold
        local_init = scaffold.local_init_op
        if local_init is None:
            local_init = Scaffold.default_local_init_op()
        with Session(graph=graph, config=estimator.config.session_config) as session:
            saver = scaffold.saver or Saver(sharded=True)
            saver.build()
            saver.restore(session, checkpoint)
            settings: dict[str, Any] = {
                "tags": [_TAGS[mode]],
                "signature_def_map": signatures,
                "assets_collection": graph.get_collection(GraphKeys.ASSET_FILEPATHS),
                "main_op": local_init,
            }
            if with_variables:
                builder.add_meta_graph_and_variables(session, saver=saver, **settings)
            else:
                builder.add_meta_graph(saver=saver, **settings)


def signatures_of(spec: EstimatorSpec, receiver: Any, mode: str) -> dict[str, Any]:
    """The SignatureDefs of a spec's outputs, also for alternative receivers."""
    outputs = spec.export_outputs
    if mode != ModeKeys.PREDICT:
        outputs = {mode: PredictOutput(_training_outputs(spec))}
    if not outputs:
        raise ValueError("export_outputs must be specified when exporting a model.")
    found: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for name, output in outputs.items():
        try:
            found[name] = output.as_signature_def(receiver.receiver_tensors)
        except ValueError as err:
            left_out[name] = str(err)
    alternatives = getattr(receiver, "receiver_tensors_alternatives", None) or {}
    for other, tensors in alternatives.items():
        given = tensors if isinstance(tensors, Mapping) else {"input": tensors}
        for name, output in outputs.items():
            try:
                found[f"{other}:{name}"] = output.as_signature_def(given)
            except ValueError as err:
                left_out[f"{other}:{name}"] = str(err)
    for name, why in left_out.items():
        if not found:
            logging.warning("Export includes no default signature!")
        logging.info("Signature %r is not exported: %s", name, why)
    if not found:
        raise ValueError(f"No signature can be exported: {left_out}")
    return found


def _training_outputs(spec: EstimatorSpec) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if spec.loss is not None:
        out["loss"] = spec.loss
    predictions = spec.predictions
    if isinstance(predictions, Mapping):
        out.update({f"predictions/{k}": v for k, v in predictions.items()})
    elif predictions is not None:
        out["predictions/output"] = predictions
    for name, (value, _) in spec.eval_metric_ops.items():
        out[f"metrics/{name}/value"] = value
    return out
