"""tf.math: mathematics. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.api_math": """
            abs accumulate_n acos acosh add add_n angle argmax argmin asin asinh atan atan2 atanh
            bincount ceil conj cos cosh count_nonzero cumprod cumsum digamma divide
            divide_no_nan equal erf erfc erfinv exp expm1 floor floordiv floormod greater
            greater_equal is_finite is_inf is_nan less less_equal lgamma log log1p log_sigmoid
            logical_and logical_not logical_or logical_xor maximum minimum mod multiply
            multiply_no_nan negative not_equal pow reciprocal reduce_all reduce_any
            reduce_euclidean_norm reduce_logsumexp reduce_max reduce_mean reduce_min
            reduce_prod reduce_std reduce_sum reduce_variance rint round rsqrt scalar_mul
            segment_max segment_mean segment_min segment_prod segment_sum sigmoid sign sin sinh
            sqrt square squared_difference subtract tan tanh truediv unsorted_segment_max
            unsorted_segment_mean unsorted_segment_min unsorted_segment_prod
            unsorted_segment_sqrt_n unsorted_segment_sum xdivy xlogy
            betainc igamma igammac imag lbeta polygamma real zeta""",
        "graphc.tf1.api_math_more": """
            bessel_i0 bessel_i0e bessel_i1 bessel_i1e cumulative_logsumexp erfcinv ndtri polyval
            reciprocal_no_nan xlog1py""",
        "graphc.tf1.api_checks_more": "is_non_decreasing is_strictly_increasing",
        "graphc.tf1.api_array": "confusion_matrix in_top_k invert_permutation top_k",
        "graphc.tf1.api_nn": "l2_normalize log_softmax softmax softplus softsign zero_fraction",
    },
)
