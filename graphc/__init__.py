# ruff: noqa: F403
"""graphc: a graph compiler in Python with TensorFlow 1's Session API.

    import graphc as tf

    x = tf.placeholder(tf.float32, [None, 784])
    w = tf.Variable(tf.zeros([784, 10]))
    y = tf.nn.softmax(tf.matmul(x, w))
    with tf.Session() as sess:
        sess.run(tf.global_variables_initializer())
        sess.run(y, feed_dict={x: images})

Everything public stands in the table below. Names are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphc._lazy import attach

__version__ = VERSION = "0.1.0"
GIT_VERSION = COMPILER_VERSION = f"graphc-{__version__}"
newaxis = None

_TABLE = {
    # the compiler
    "graphc.config": "Config configure",
    "graphc.runtime.stats": "stats",
    # dtypes
    "graphc.ir.dtypes": """
        as_dtype bfloat16 bool=bool_ complex128 complex64 float16 half=float16 float32 float64
        double=float64 int16 int32 int64 int8 string uint16 uint32 uint64 uint8 DType""",
    # sessions and graphs
    "graphc.session": "InteractiveSession Session get_default_session",
    "graphc.protos": """
        ConfigProto GPUOptions GraphOptions OptimizerOptions RunOptions""",
    "graphc.errors": "OpError",
    "graphc.logging": "get_logger",
    "graphc.interop.aliases": "install_as_tensorflow",
    "graphc.tf1.framework": """
        Dimension Graph GraphKeys Operation Tensor TensorShape add_to_collection
        add_to_collections colocate_with constant container control_dependencies
        convert_to_tensor device get_collection get_collection_ref get_default_graph identity
        is_tensor name_scope no_op op_scope placeholder placeholder_with_default
        register_tensor_conversion_function reset_default_graph set_random_seed stop_gradient""",
    "graphc.tf1.ops_misc": "group tuple",
    "graphc.tf1.behavior": """
        disable_eager_execution disable_resource_variables disable_v2_behavior
        enable_eager_execution enable_resource_variables executing_eagerly
        fixed_size_partitioner min_max_variable_partitioner variable_axis_size_partitioner""",
    # variables
    "graphc.tf1.variables": "Variable",
    "graphc.tf1.variable_scope": """
        AUTO_REUSE VariableScope get_local_variable get_variable get_variable_scope
        make_template no_regularizer variable_op_scope variable_scope""",
    "graphc.tf1.api_state": """
        all_variables assert_variables_initialized assign assign_add assign_sub count_up_to
        global_variables global_variables_initializer initialize_all_variables
        initialize_local_variables initialize_variables is_variable_initialized local_variables
        local_variables_initializer model_variables moving_average_variables
        report_uninitialized_variables trainable_variables variables_initializer""",
    "graphc.tf1.initializers": """
        constant_initializer glorot_normal_initializer glorot_uniform_initializer
        ones_initializer orthogonal_initializer random_normal_initializer
        random_uniform_initializer truncated_normal_initializer
        uniform_unit_scaling_initializer variance_scaling_initializer zeros_initializer""",
    # gradients
    "graphc.autodiff.gradients": "AggregationMethod gradients hessians",
    "graphc.autodiff.indexed_slices": "IndexedSlices IndexedSlicesValue",
    "graphc.tf1.api_gradients": "NoGradient NotDifferentiable RegisterGradient custom_gradient",
    # mathematics
    "graphc.tf1.api_math": """
        abs accumulate_n acos acosh add add_n angle arg_max=argmax arg_min=argmin argmax argmin
        asin asinh atan atan2 atanh betainc bincount bitcast cast ceil clip_by_average_norm
        clip_by_global_norm clip_by_norm clip_by_value complex conj cos cosh count_nonzero
        cumprod cumsum digamma div div_no_nan=divide_no_nan divide equal erf erfc exp expm1
        floor floor_div floordiv floormod global_norm greater greater_equal igamma igammac imag
        is_finite is_inf is_nan lbeta less less_equal lgamma log log1p log_sigmoid logical_and
        logical_not logical_or logical_xor maximum minimum mod multiply negative not_equal
        polygamma pow real realdiv reciprocal reduce_all reduce_any reduce_logsumexp reduce_max
        reduce_mean reduce_min reduce_prod reduce_sum rint round rsqrt saturate_cast scalar_mul
        segment_max segment_mean segment_min segment_prod segment_sum sigmoid sign sin sinh sqrt
        square squared_difference subtract tan tanh to_bfloat16 to_double to_float to_int32
        to_int64 truediv truncatediv truncatemod unsorted_segment_max unsorted_segment_mean
        unsorted_segment_min unsorted_segment_prod unsorted_segment_sqrt_n unsorted_segment_sum
        zeta""",
    # arrays
    "graphc.tf1.api_array": """
        batch_gather boolean_mask broadcast_dynamic_shape broadcast_static_shape broadcast_to
        concat confusion_matrix dynamic_partition dynamic_stitch expand_dims fill gather
        gather_nd histogram_fixed_width invert_permutation lin_space=linspace linspace meshgrid
        one_hot ones ones_like pad parallel_stack range rank reshape reverse reverse_sequence
        reverse_v2=reverse scatter_add scatter_div scatter_max scatter_min scatter_mul
        scatter_nd scatter_nd_add scatter_nd_sub scatter_nd_update scatter_sub scatter_update
        searchsorted sequence_mask setdiff1d shape shape_n size slice sparse_segment_mean
        sparse_segment_sqrt_n sparse_segment_sum split squeeze stack strided_slice
        tensor_scatter_add tensor_scatter_nd_add tensor_scatter_nd_max tensor_scatter_nd_min
        tensor_scatter_nd_sub tensor_scatter_nd_update tensor_scatter_sub tensor_scatter_update
        tile top_k transpose unique unique_with_counts unravel_index unstack where where_v2
        zeros zeros_like""",
    "graphc.tf1.api_sort": "argsort sort",
    # sparse tensors
    "graphc.tf1.sparse_tensor": """
        SparseTensor SparseTensorValue convert_to_tensor_or_sparse_tensor sparse_placeholder""",
    "graphc.tf1.api_sparse": """
        sparse_add sparse_concat sparse_matmul sparse_reorder sparse_reshape sparse_retain
        sparse_slice sparse_split sparse_tensor_dense_matmul sparse_tensor_to_dense sparse_to_dense
        sparse_transpose""",
    "graphc.tf1.api_sparse_math": """
        sparse_maximum sparse_minimum sparse_reduce_max sparse_reduce_max_sparse
        sparse_reduce_sum sparse_reduce_sum_sparse sparse_softmax""",
    "graphc.tf1.api_sparse_rows": """
        sparse_fill_empty_rows sparse_mask sparse_merge sparse_reset_shape
        sparse_to_indicator""",
    # images
    "graphc.tf1.api_image": """
        batch_to_space batch_to_space_nd depth_to_space extract_image_patches
        required_space_to_batch_paddings space_to_batch space_to_batch_nd space_to_depth""",
    # linear algebra
    "graphc.tf1.api_linalg": """
        cholesky cholesky_solve cross diag diag_part einsum eye matmul matrix_band_part
        matrix_determinant matrix_diag matrix_diag_part matrix_inverse matrix_set_diag
        matrix_solve matrix_transpose matrix_triangular_solve norm qr self_adjoint_eig
        self_adjoint_eigvals svd tensordot trace""",
    "graphc.tf1.api_linalg_more": "matrix_solve_ls",
    "graphc.tf1.api_math_more": "to_complex128 to_complex64",
    # checks, printing, Python functions
    "graphc.tf1.printing": "print=print_values",
    "graphc.tf1.api_misc": """
        UnconnectedGradients VariableAggregation VariableSynchronization
        convert_to_tensor_or_indexed_slices dimension_at_index dimension_value
        grad_pass_through guarantee_const histogram_fixed_width_bins identity_n init_scope
        recompute_grad repeat switch_case vectorized_map""",
    "graphc.tf1.api_checks": """
        Assert Print add_check_numerics_ops assert_equal assert_greater assert_greater_equal
        assert_integer assert_less assert_less_equal assert_near assert_negative assert_non_negative
        assert_non_positive assert_none_equal assert_positive assert_proper_iterable assert_rank
        assert_rank_at_least assert_rank_in assert_scalar assert_type check_numerics
        numpy_function py_func verify_tensor_all_finite""",
    # control flow
    "graphc.tf1.control_flow": "case cond while_loop",
    "graphc.tf1.functional": "foldl foldr map_fn scan",
    "graphc.tf1.tensor_array": "TensorArray",
    "graphc.tf1.api_checks_more": """
        assert_same_float_dtype ensure_shape is_non_decreasing is_numeric_tensor
        is_strictly_increasing""",
    # graphs, summaries and events as files
    "graphc.tf1.graph_io": "import_graph_def make_ndarray make_tensor_proto",
    "graphc.interop.trace_messages": "RunMetadata",
    "graphc.interop.messages": """
        AttrValue Event GraphDef HistogramProto LogMessage MetaGraphDef NameAttrList NodeDef
        SessionLog Summary SummaryMetadata""",
    # queues and readers
    "graphc.tf1.queues": "FIFOQueue PaddingFIFOQueue PriorityQueue QueueBase RandomShuffleQueue",
    "graphc.tf1.readers": """
        FixedLengthRecordReader IdentityReader ReaderBase TFRecordReader TextLineReader
        WholeFileReader""",
    "graphc.tf1.api_sparse_serial": """
        deserialize_many_sparse deserialize_sparse serialize_many_sparse serialize_sparse""",
    # examples
    "graphc.tf1.parsing": """
        FixedLenFeature FixedLenSequenceFeature SparseFeature VarLenFeature parse_example
        parse_single_example parse_single_sequence_example""",
    "graphc.tf1.decoding": """
        decode_base64 decode_compressed decode_csv decode_json_example decode_raw encode_base64
        matching_files parse_tensor read_file serialize_tensor write_file""",
    "graphc.tf1.api_sequences": "edit_distance",
    # tables
    "graphc.tf1.lookup": "initialize_all_tables tables_initializer",
    # strings
    "graphc.tf1.api_strings": """
        as_string reduce_join regex_replace string_join string_length string_split string_strip
        string_to_hash_bucket string_to_hash_bucket_fast string_to_hash_bucket_strong
        string_to_number substr""",
    # random numbers
    "graphc.tf1.api_fourier": "fft fft2d fft3d ifft ifft2d ifft3d roll",
    "graphc.tf1.api_random": """
        get_seed multinomial random_crop random_gamma random_normal random_poisson random_shuffle
        random_uniform truncated_normal""",
}

__getattr__, __dir__, _public = attach(
    __name__,
    _TABLE,
    """
        app bitwise compat config contrib data debugging distributions dtypes errors estimator
        examples feature_column flags gfile graph_util image initializers io keras layers linalg
        logging lookup losses manip math metrics models nest nn profiler python_io queue random
        resource_loader saved_model signal sparse spectral strings summary sysconfig test train
        version""",
)
# `from tensorflow import *` must not take Python's print away
_public.remove("print")
__all__ = [*_public, "GIT_VERSION", "VERSION", "__version__", "newaxis"]

if TYPE_CHECKING:
    from graphc.autodiff.gradients import AggregationMethod as AggregationMethod
    from graphc.autodiff.gradients import gradients as gradients
    from graphc.autodiff.gradients import hessians as hessians
    from graphc.autodiff.indexed_slices import IndexedSlices as IndexedSlices
    from graphc.config import Config as Config
    from graphc.config import configure as configure
    from graphc.ir.dtypes import *
    from graphc.protos import *
    from graphc.session import InteractiveSession as InteractiveSession
    from graphc.session import Session as Session
    from graphc.session import get_default_session as get_default_session
    from graphc.tf1.api_array import *
    from graphc.tf1.api_linalg import *
    from graphc.tf1.api_math import *
    from graphc.tf1.api_random import *
    from graphc.tf1.api_state import *
    from graphc.tf1.framework import *
    from graphc.tf1.initializers import *
    from graphc.tf1.ops_misc import *
    from graphc.tf1.variable_scope import *
    from graphc.tf1.variables import Variable as Variable
