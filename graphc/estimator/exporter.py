"""Exporters: SavedModels that train_and_evaluate writes.

Lives here: Exporter, FinalExporter, LatestExporter, BestExporter. Not here: writing (exporting.py).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from graphc import logging

__all__ = ["BestExporter", "Exporter", "FinalExporter", "LatestExporter"]


class Exporter:
    """Base of what EvalSpec's exporters may hold."""

    @property
    def name(self) -> str:
        """The directory below "export" of model_dir."""
        raise NotImplementedError

    def export(
        self,
        estimator: Any,
        export_path: Any,
        checkpoint_path: Any,
        eval_result: Mapping[str, Any],
        is_the_final_export: bool,
    ) -> Any:
        """Writes a model after an evaluation; its path, or None where it was left out."""
        raise NotImplementedError


class _SavedModelExporter(Exporter):
    """What the exporters share: a name and how to write."""

    def __init__(
        self,
        name: str,
        serving_input_receiver_fn: Callable[[], Any],
        assets_extra: Mapping[str, Any] | None = None,
        as_text: bool = False,
    ) -> None:
        self._name = name
        self._serving_input_receiver_fn = serving_input_receiver_fn
        self._assets_extra = assets_extra
        self._as_text = as_text

    @property
    def name(self) -> str:
        return self._name

    def _write(self, estimator: Any, export_path: Any, checkpoint_path: Any) -> Any:
        return estimator.export_saved_model(
            export_path,
            self._serving_input_receiver_fn,
            assets_extra=self._assets_extra,
            as_text=self._as_text,
            checkpoint_path=checkpoint_path,
        )


class FinalExporter(_SavedModelExporter):
    """Writes once, at the end of the training (tf.estimator.FinalExporter)."""

    def export(
        self,
        estimator: Any,
        export_path: Any,
        checkpoint_path: Any,
        eval_result: Mapping[str, Any],
        is_the_final_export: bool,
    ) -> Any:
        if not is_the_final_export:
            return None
        logging.info("Performing the final export in the end of training.")
        return self._write(estimator, export_path, checkpoint_path)


def _collect(export_path: Any, keep: int | None) -> None:
    """Removes the oldest models of a directory."""
    if keep is None:
        return
    folder = Path(os.fspath(export_path))
    stamps = sorted(int(p.name) for p in folder.iterdir() if p.name.isdigit())
    for stamp in stamps[: max(len(stamps) - keep, 0)]:
        shutil.rmtree(folder / str(stamp), ignore_errors=True)


def _check_keep(keep: int | None) -> None:
    if keep is not None and keep <= 0:
        raise ValueError("`exports_to_keep`, if provided, must be positive number")


class LatestExporter(_SavedModelExporter):
    """Writes after each evaluation and keeps the newest (tf.estimator.LatestExporter).

    Raises:
        ValueError: exports_to_keep is not positive.
    """

    def __init__(
        self,
        name: str,
        serving_input_receiver_fn: Callable[[], Any],
        assets_extra: Mapping[str, Any] | None = None,
        as_text: bool = False,
        exports_to_keep: int | None = 5,
    ) -> None:
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text)
        _check_keep(exports_to_keep)
        self._exports_to_keep = exports_to_keep

    def export(
        self,
        estimator: Any,
        export_path: Any,
        checkpoint_path: Any,
        eval_result: Mapping[str, Any],
        is_the_final_export: bool,
    ) -> Any:
        result = self._write(estimator, export_path, checkpoint_path)
        _collect(export_path, self._exports_to_keep)
        return result


def _loss_smaller(
    best_eval_result: Mapping[str, Any], current_eval_result: Mapping[str, Any]
) -> bool:
    """Whether the loss is smaller now. Raises ValueError where there is none."""
    for result in (best_eval_result, current_eval_result):
        if not result or "loss" not in result:
            raise ValueError(
                "best_eval_result cannot be empty or no loss is found in it."
                if result is best_eval_result
                else "current_eval_result cannot be empty or no loss is found in it."
            )
    return bool(best_eval_result["loss"] > current_eval_result["loss"])


class BestExporter(_SavedModelExporter):
    """Writes where an evaluation was better than all before (tf.estimator.BestExporter).

    Args:
        event_file_pattern: earlier evaluations, below model_dir: "eval/*.tfevents.*".
        compare_fn: (best, current) -> whether the current one is better; default by the loss.

    Raises:
        ValueError: exports_to_keep is not positive, or compare_fn has other arguments.
    """

    def __init__(
        self,
        name: str = "best_exporter",
        serving_input_receiver_fn: Callable[[], Any] | None = None,
        event_file_pattern: str | None = None,
        compare_fn: Callable[..., bool] = _loss_smaller,
        assets_extra: Mapping[str, Any] | None = None,
        as_text: bool = False,
        exports_to_keep: int | None = 5,
    ) -> None:
        if serving_input_receiver_fn is None:
            raise ValueError("`serving_input_receiver_fn` must be defined.")
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text)
        if compare_fn is None:
            raise ValueError("`compare_fn` must not be None.")
        _check_keep(exports_to_keep)
        self._compare_fn = compare_fn
        self._event_file_pattern = event_file_pattern
        self._exports_to_keep = exports_to_keep
        self._best_eval_result: Mapping[str, Any] | None = None
        self._model_dir: str | None = None

    def export(
        self,
        estimator: Any,
        export_path: Any,
        checkpoint_path: Any,
        eval_result: Mapping[str, Any],
        is_the_final_export: bool,
    ) -> Any:
        if self._model_dir != estimator.model_dir and self._event_file_pattern:
            # this directory may hold evaluations of an earlier run
            self._model_dir = estimator.model_dir
            self._best_eval_result = self._best_before(
                Path(estimator.model_dir), eval_result.get("global_step")
            )
        best = self._best_eval_result
        if best is not None and not self._compare_fn(
            best_eval_result=best, current_eval_result=eval_result
        ):
            return None
        logging.info("Performing best model export.")
        self._best_eval_result = eval_result
        result = self._write(estimator, export_path, checkpoint_path)
        _collect(export_path, self._exports_to_keep)
        return result

    def _best_before(self, folder: Path, step: Any) -> Mapping[str, Any] | None:
        """The best result in event files, other than that of this step."""
        from graphc.interop.events import summary_iterator

        best: dict[str, Any] | None = None
        assert self._event_file_pattern is not None
        for path in sorted(folder.glob(self._event_file_pattern)):
            for event in summary_iterator(str(path)):
                found = {
                    v.tag: v.simple_value for v in event.summary.value
                    if v.HasField("simple_value")
                }  # fmt: skip
                if not found or event.step == step:
                    continue
                if best is None or self._compare_fn(
                    best_eval_result=best, current_eval_result=found
                ):
                    best = found
        return best
