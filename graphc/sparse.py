"""tf.sparse: functions on sparse tensors. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.sparse_tensor": "SparseTensor placeholder=sparse_placeholder",
        "graphc.tf1.api_sparse": """
            add=sparse_add concat=sparse_concat from_dense matmul=sparse_tensor_dense_matmul
            reorder=sparse_reorder reshape=sparse_reshape retain=sparse_retain slice=sparse_slice
            sparse_dense_matmul=sparse_tensor_dense_matmul split=sparse_split
            to_dense=sparse_tensor_to_dense transpose=sparse_transpose""",
        "graphc.tf1.api_sparse_math": """
            maximum=sparse_maximum minimum=sparse_minimum reduce_max=sparse_reduce_max
            reduce_max_sparse=sparse_reduce_max_sparse reduce_sum=sparse_reduce_sum
            reduce_sum_sparse=sparse_reduce_sum_sparse softmax=sparse_softmax""",
        "graphc.tf1.api_sparse_rows": """
            expand_dims eye fill_empty_rows=sparse_fill_empty_rows mask=sparse_mask
            merge=sparse_merge reset_shape=sparse_reset_shape
            to_indicator=sparse_to_indicator""",
        "graphc.tf1.api_segment": """
            segment_mean=sparse_segment_mean segment_sqrt_n=sparse_segment_sqrt_n
            segment_sum=sparse_segment_sum""",
    },
)
