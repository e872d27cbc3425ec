"""Config(check_numerics=True): a run that stops at the first op that makes a NaN or infinity.

Lives here: CheckedPlan. The plan is the reference's, op by op, so that the op that is named is the
user's own and not one that fusion or a rewrite made; no variable is written when it stops.
"""

from __future__ import annotations

from graphc.runtime.backends.reference import ReferencePlan


class CheckedPlan(ReferencePlan):
    """The reference plan under its own name: what `check_numerics` runs."""
