"""ScipyOptimizerInterface: SciPy's minimisers on a loss of a graph (tf.contrib.opt).

Lives here: the classes. Needs SciPy, which is imported when minimize is called. Not here: the
optimizers of tf.train.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphc.autodiff.gradients import gradients
from graphc.autodiff.indexed_slices import IndexedSlices
from graphc.ir.node import Tensor
from graphc.logging import get_logger
from graphc.ops.convert import convert_to_tensor
from graphc.ops.define import F
from graphc.tf1.api_state import trainable_variables

__all__ = ["ExternalOptimizerInterface", "ScipyOptimizerInterface"]

Vector = np.ndarray[Any, Any]
Function = Callable[[Vector], Any]


class ExternalOptimizerInterface:
    """Base of optimizers outside the graph; a subclass defines `_minimize`.

    Args:
        loss: a scalar. var_list: default the trainable variables.
        equalities, inequalities: scalars that must become 0, and must not be negative.
        var_to_bounds: (low, high) by variable, numbers or arrays that broadcast to its shape.
        optimizer_kwargs: for the minimiser.

    Raises:
        ValueError: no variables, or a variable without a full shape.
    """

    def __init__(
        self,
        loss: Any,
        var_list: Sequence[Any] | None = None,
        equalities: Sequence[Any] | None = None,
        inequalities: Sequence[Any] | None = None,
        var_to_bounds: Mapping[Any, tuple[Any, Any]] | None = None,
        **optimizer_kwargs: Any,
    ) -> None:
        self._loss = loss
        self._vars = list(trainable_variables() if var_list is None else var_list)
        if not self._vars:
            raise ValueError("No variables to optimize.")
        self.optimizer_kwargs = optimizer_kwargs
        self._shapes = [tuple(v.shape.as_list()) for v in self._vars]
        sizes = [int(np.prod(s, dtype=np.int64)) for s in self._shapes]
        self._ends = np.cumsum([0, *sizes])
        self._bounds = self._packed_bounds(var_to_bounds)
        self._slopes = self._packed_gradient(loss)
        self._equalities = [(e, self._packed_gradient(e)) for e in equalities or ()]
        self._inequalities = [(e, self._packed_gradient(e)) for e in inequalities or ()]

    def minimize(
        self,
        session: Any = None,
        feed_dict: Mapping[Any, Any] | None = None,
        fetches: Sequence[Any] | None = None,
        step_callback: Callable[[Vector], Any] | None = None,
        loss_callback: Callable[..., Any] | None = None,
        **run_kwargs: Any,
    ) -> None:
        """Moves the variables of a session to a minimum of the loss.

        Args:
            session: default the default session. feed_dict: for each evaluation.
            fetches: values for loss_callback, which is called at each evaluation with them.
            step_callback: called after each step with the vector of all variables.

        Raises:
            ValueError: no session.
        """
        from graphc.session import get_default_session

        session = session or get_default_session()
        if session is None:
            raise ValueError("minimize needs a session, or a default session.")
        shown = list(fetches or ())

        def evaluated(value: Any, slopes: Tensor, extra: Sequence[Any] = ()) -> Function:
            def call(packed: Vector) -> tuple[Any, Vector]:
                feeds = {**(feed_dict or {}), **self._feeds(packed)}
                out = session.run([value, slopes, *extra], feeds, **run_kwargs)
                if loss_callback is not None and extra is shown:
                    loss_callback(*out[2:])
                return np.float64(out[0]), np.asarray(out[1], np.float64)

            return call

        start = [np.asarray(v, np.float64).ravel() for v in session.run(self._vars)]
        packed = self._minimize(
            initial_val=np.concatenate(start),
            loss_grad_func=evaluated(self._loss, self._slopes, shown),
            equality_funcs=[evaluated(*e) for e in self._equalities],
            inequality_funcs=[evaluated(*e) for e in self._inequalities],
            packed_bounds=self._bounds, step_callback=step_callback,
            optimizer_kwargs=self.optimizer_kwargs,
        )  # fmt: skip
        for variable, value in self._feeds(packed).items():
            variable.load(value, session)

    def _minimize(
        self,
        initial_val: Vector,
        loss_grad_func: Function,
        equality_funcs: Sequence[Function],
        inequality_funcs: Sequence[Function],
        packed_bounds: Any,
        step_callback: Any,
        optimizer_kwargs: dict[str, Any],
    ) -> Vector:
        """The vector at the minimum. Raises NotImplementedError: subclasses define it."""
        raise NotImplementedError("To use ExternalOptimizerInterface, subclass it.")

    # ------------------------------------------------------------ vectors
    def _feeds(self, packed: Vector) -> dict[Any, Vector]:
        parts = zip(self._vars, self._shapes, self._ends[:-1], self._ends[1:])
        return {v: packed[a:b].reshape(s).astype(v.dtype.np) for v, s, a, b in parts}

    def _packed_gradient(self, value: Any) -> Tensor:
        from graphc.tf1.api_array import concat, reshape, zeros_like

        flat = []
        for variable, slope in zip(self._vars, gradients(value, self._vars)):
            if slope is None:
                slope = zeros_like(variable)
            elif isinstance(slope, IndexedSlices):
                slope = convert_to_tensor(slope)
            flat.append(F.cast(reshape(slope, [-1]), dtype=self._vars[0].dtype))
        return flat[0] if len(flat) == 1 else concat(flat, 0)

    def _packed_bounds(self, bounds: Mapping[Any, tuple[Any, Any]] | None) -> Any:
        if bounds is None:
            return None
        sides: list[list[Vector]] = [[], []]
        for variable, shape in zip(self._vars, self._shapes):
            for side, limit in zip(sides, bounds.get(variable, (-np.inf, np.inf))):
                side.append(np.broadcast_to(np.asarray(limit, np.float64), shape).ravel())
        return list(zip(*(np.concatenate(side) for side in sides)))


class ScipyOptimizerInterface(ExternalOptimizerInterface):
    """scipy.optimize.minimize; "L-BFGS-B" by default, "SLSQP" with equalities or inequalities.

        optimizer = ScipyOptimizerInterface(loss, options={"maxiter": 100})
        optimizer.minimize(sess)

    Args:
        method, options, tol: SciPy's. Others: see ExternalOptimizerInterface.
    """

    def _minimize(
        self,
        initial_val: Vector,
        loss_grad_func: Function,
        equality_funcs: Sequence[Function],
        inequality_funcs: Sequence[Function],
        packed_bounds: Any,
        step_callback: Any,
        optimizer_kwargs: dict[str, Any],
    ) -> Vector:
        try:
            from scipy.optimize import minimize
        except ImportError:
            raise ImportError(
                "tf.contrib.opt.ScipyOptimizerInterface needs SciPy: pip install scipy"
            ) from None
        kinds = (("eq", equality_funcs), ("ineq", inequality_funcs))
        constraints = [
            {"type": kind, "fun": lambda x, f=f: f(x)[0], "jac": lambda x, f=f: f(x)[1]}
            for kind, functions in kinds
            for f in functions
        ]
        options = {"method": "SLSQP" if constraints else "L-BFGS-B", **optimizer_kwargs}
        if packed_bounds is not None:
            options["bounds"] = packed_bounds
        if constraints:
            options["constraints"] = constraints
        result = minimize(
            loss_grad_func, initial_val, jac=True, callback=step_callback, **options
        )
        get_logger().info(
            "Optimization ended: %s; loss %s after %s evaluations", result.message, result.fun,
            result.nfev,
        )  # fmt: skip
        found: Vector = result.x
        return found
