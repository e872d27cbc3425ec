"""tf.debugging: checks of tensors. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.api_checks": """
            Assert assert_all_finite=verify_tensor_all_finite assert_equal assert_greater
            assert_greater_equal assert_integer assert_less assert_less_equal assert_near
            assert_negative assert_non_negative assert_non_positive assert_none_equal
            assert_positive assert_proper_iterable assert_rank assert_rank_at_least
            assert_rank_in assert_scalar assert_type check_numerics""",
        "graphc.tf1.api_checks_more": """
            assert_same_float_dtype assert_shapes is_non_decreasing is_numeric_tensor
            is_strictly_increasing""",
        "graphc.tf1.api_math": "is_finite is_inf is_nan",
    },
)
