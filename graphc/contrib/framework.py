"""tf.contrib.framework: arg_scope and functions on variables; imported when first used."""

from __future__ import annotations

from typing import Any

from graphc._lazy import attach
from graphc.contrib import missing

_find, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.contrib._arg_scope": """
            add_arg_scope arg_scope arg_scope_func_key arg_scoped_arguments current_arg_scope
            has_arg_scope""",
        "graphc.contrib._variables": """
            add_model_variable assign_from_values assign_from_values_fn filter_variables
            get_local_variables get_model_variables get_trainable_variables get_unique_variable
            get_variable_full_name get_variables get_variables_by_name get_variables_by_suffix
            get_variables_to_restore local_variable model_variable variable""",
        "graphc.tf1.api_state": """
            assert_global_step create_global_step get_global_step get_or_create_global_step""",
        "graphc.contrib._slim": "assign_from_checkpoint_fn",
        "graphc.tf1.framework": "is_tensor",
        "graphc.tf1.api_sort": "argsort sort",
        "graphc.train": "list_variables load_checkpoint load_variable",
        "graphc.contrib._paths": "nest=framework_nest python=framework_python",
    },
)
_missing = missing("tf.contrib.framework")


def __getattr__(name: str) -> Any:
    return _find(name) if name in __all__ else _missing(name)
