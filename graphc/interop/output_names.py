"""What TensorFlow calls the outputs of its ops: functions in files refer to outputs by these names.

Lives here: output_names, a table. "name*attr" is a list: as long as that attribute (an int or a
list of types) says. Ops that are not in the table have one output called "output". Not here: the
functions themselves (interop/function_defs.py).
"""

from __future__ import annotations

from functools import cache

_TABLE = {
    "y":
        "Abs Acos Acosh Asin Asinh Atan Atanh Cast Ceil ComplexAbs Cos Cosh Digamma Erf Erfc "
        "Erfinv Exp Expm1 Floor Inv Invert InvertPermutation IsFinite IsInf IsNan Lgamma Log Log1p "
        "LogicalNot Neg OnesLike Reciprocal Rint Round Rsqrt Sigmoid Sign Sin Sinh Sqrt Square Tan "
        "Tanh Transpose ZerosLike",
    "z":
        "Add AddV2 Atan2 Betainc BitwiseAnd BitwiseOr BitwiseXor Div DivNoNan Equal FloorDiv "
        "FloorMod Greater GreaterEqual Igamma Igammac InvGrad LeftShift Less LessEqual LogicalAnd "
        "LogicalOr Maximum Minimum Mod Mul MulNoNan NotEqual Polygamma Pow RealDiv ReciprocalGrad "
        "RightShift RsqrtGrad SigmoidGrad SqrtGrad SquaredDifference Sub TanhGrad TruncateDiv "
        "TruncateMod Xdivy Xlogy Zeta",
    "out":
        "ApplyAdaMax ApplyAdadelta ApplyAdagrad ApplyAdagradDA ApplyAdam ApplyAddSign "
        "ApplyCenteredRMSProp ApplyFtrl ApplyFtrlV2 ApplyGradientDescent ApplyMomentum "
        "ApplyPowerSign ApplyProximalAdagrad ApplyProximalGradientDescent ApplyRMSProp Complex "
        "Cumprod Cumsum SparseApplyAdadelta SparseApplyAdagrad SparseApplyAdagradDA "
        "SparseApplyCenteredRMSProp SparseApplyFtrl SparseApplyFtrlV2 SparseApplyMomentum "
        "SparseApplyProximalAdagrad SparseApplyProximalGradientDescent SparseApplyRMSProp",
    "output_ref":
        "Assign AssignAdd AssignSub ScatterAdd ScatterDiv ScatterMax ScatterMin ScatterMul "
        "ScatterNdAdd ScatterNdSub ScatterNdUpdate ScatterSub ScatterUpdate",
    "output_handle":
        "TensorListFromTensor TensorListPushBack TensorListResize TensorListScatter "
        "TensorListScatterIntoExistingList TensorListScatterV2 TensorListSetItem TensorListSplit",
    "table_handle":
        "HashTable HashTableV2 MutableDenseHashTable MutableDenseHashTableV2 MutableHashTable "
        "MutableHashTableOfTensors MutableHashTableOfTensorsV2 MutableHashTableV2",
    "activations": "Elu LeakyRelu Relu Relu6 Selu Softplus Softsign",
    "handle":
        "EmptyTensorList FIFOQueueV2 PaddingFIFOQueueV2 PriorityQueueV2 RandomShuffleQueueV2 "
        "StackV2 TensorListReserve",
    "output*Tout":
        "Case If PartitionedCall PyFunc StatefulPartitionedCall StatelessCase StatelessIf",
    "backprops": "EluGrad LeakyReluGrad Relu6Grad ReluGrad SoftplusGrad SoftsignGrad",
    "image": "DecodeAndCropJpeg DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng",
    "summary":
        "AudioSummaryV2 HistogramSummary ImageSummary MergeSummary ScalarSummary TensorSummaryV2",
    "reader_handle":
        "FixedLengthRecordReaderV2 IdentityReaderV2 TFRecordReaderV2 TextLineReaderV2 "
        "WholeFileReaderV2",
    "sampled_candidates true_expected_count sampled_expected_count":
        "AllCandidateSampler FixedUnigramCandidateSampler LearnedUnigramCandidateSampler "
        "LogUniformCandidateSampler UniformCandidateSampler",
    "contents": "EncodeJpeg EncodeJpegVariableQuality EncodePng ReadFile",
    "output_indices output_values output_shape":
        "SparseConcat SparseReduceMaxSparse SparseReduceSumSparse SparseSlice",
    "resized_images": "ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor",
    "selected_indices":
        "NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionWithOverlaps",
    "size": "LookupTableSize LookupTableSizeV2 QueueSizeV2 TensorArraySizeV3",
    "components*component_types": "QueueDequeueManyV2 QueueDequeueUpToV2 QueueDequeueV2",
    "flow_out": "TensorArrayScatterV3 TensorArraySplitV3 TensorArrayWriteV3",
    "keys values": "LookupTableExport LookupTableExportV2 ReaderReadUpToV2",
    "output*T": "IdentityN StatelessWhile While",
    "output_indices output_values": "SparseReorder SparseSparseMaximum SparseSparseMinimum",
    "value": "ReadVariableOp TensorArrayGatherV3 TensorArrayReadV3",
    "values": "LookupTableFind LookupTableFindV2 TensorListGather",
    "band": "BatchMatrixBandPart MatrixBandPart",
    "begin size bboxes": "SampleDistortedBoundingBox SampleDistortedBoundingBoxV2",
    "diagonal": "DiagPart MatrixDiagPart",
    "indices values shape": "StringSplit StringSplitV2",
    "is_initialized": "IsVariableInitialized VarIsInitializedOp",
    "loss backprop": "SoftmaxCrossEntropyWithLogits SparseSoftmaxCrossEntropyWithLogits",
    "output value_index": "Merge RefMerge",
    "output*num_split": "Split SplitV",
    "output_false output_true": "RefSwitch Switch",
    "product": "MatMul SparseTensorDenseMatMul",
    "ref": "Variable VariableV2",
    "serialized_sparse": "SerializeManySparse SerializeSparse",
    "tensor lengths": "TensorListConcat TensorListConcatV2",
    "x_backprop scale_backprop offset_backprop reserve_space_3 reserve_space_4":
        "FusedBatchNormGrad FusedBatchNormGradV2",
    "y batch_mean batch_variance reserve_space_1 reserve_space_2":
        "FusedBatchNorm FusedBatchNormV2",
    "binary_examples": "DecodeJSONExample",
    "bins": "Bincount",
    "components*output_types": "IteratorGetNext OptionalGetValue",
    "optional": "OptionalFromValue OptionalNone",
    "tensors*dtypes": "RestoreV2",
    "filename": "ShardedFilename",
    "has_value": "OptionalHasValue",
    "crops": "CropAndResize",
    "dense": "SparseToDense",
    "e v": "SelfAdjointEigV2",
    "elem": "StackPopV2",
    "element_shape": "TensorListElementShape",
    "filenames": "MatchingFiles",
    "glimpse": "ExtractGlimpse",
    "grad_handle flow_out": "TensorArrayGradV3",
    "handle flow": "TensorArrayV3",
    "image_shape": "ExtractJpegShape",
    "index": "Where",
    "indices ids weights": "ComputeAccidentalHits",
    "is_closed": "QueueIsClosedV2",
    "item": "TensorListGetItem",
    "key value": "ReaderReadV2",
    "length": "TensorListLength",
    "logsoftmax": "LogSoftmax",
    "merged": "DynamicStitch",
    "offset*N": "ConcatOffset",
    "out idx": "ListDiff",
    "output argmax": "MaxPoolWithArgmax",
    "output*N": "ShapeN",
    "output*OUT_TYPE": "DecodeCSV",
    "output*num": "Unpack",
    "output_handle tensor": "TensorListPopBack",
    "output_indices output_shape": "SparseReshape",
    "output_indices output_values empty_row_indicator reverse_index_map": "SparseFillEmptyRows",
    "output_indices*num_split output_values*num_split output_shape*num_split": "SparseSplit",
    "outputs*num_partitions": "DynamicPartition",
    "patches": "ExtractImagePatches",
    "precision": "InTopKV2",
    "q r": "Qr",
    "r0": "BroadcastArgs",
    "r0 r1": "BroadcastGradientArgs",
    "records_produced": "ReaderNumRecordsProducedV2",
    "resource": "VarHandleOp",
    "row_splits char_values char_to_byte_starts": "UnicodeDecodeWithOffsets",
    "s u v": "Svd",
    "selected_indices selected_scores valid_outputs": "NonMaxSuppressionV5",
    "selected_indices valid_outputs": "NonMaxSuppressionV4",
    "serialized": "SerializeTensor",
    "sign log_abs_determinant": "LogMatrixDeterminant",
    "softmax": "Softmax",
    "sparse_indices sparse_values sparse_shape": "DeserializeSparse",
    "sparse_indices*Nsparse sparse_values*sparse_types sparse_shapes*Nsparse dense_values*Tdense":
        "ParseExample",
    "string_handle": "IteratorToStringHandle",
    "sum": "AddN",
    "sum_indices sum_values sum_shape": "SparseAdd",
    "tensor": "TensorListStack",
    "units_completed": "ReaderNumWorkUnitsCompletedV2",
    "value lengths": "TensorArrayConcatV3",
    "values indices": "TopKV2",
    "x_backprop scale_backprop offset_backprop reserve_space_4 reserve_space_5":
        "FusedBatchNormGradV3",
    "y batch_mean batch_variance reserve_space_1 reserve_space_2 reserve_space_3":
        "FusedBatchNormV3",
    "y idx": "Unique",
    "y idx count": "UniqueWithCounts",
    "":
        "Assert AssignAddVariableOp AssignSubVariableOp AssignVariableOp InitializeTable "
        "InitializeTableFromTextFile InitializeTableFromTextFileV2 InitializeTableV2 "
        "LookupTableImport LookupTableImportV2 LookupTableInsert LookupTableInsertV2 "
        "LookupTableRemoveV2 MakeIterator NoOp PrintV2 QueueCloseV2 QueueEnqueueManyV2 "
        "QueueEnqueueV2 ReaderResetV2 ResourceApplyAdadelta ResourceApplyAdagrad ResourceApplyAdam "
        "ResourceApplyFtrl ResourceApplyGradientDescent ResourceApplyMomentum ResourceApplyRMSProp "
        "SaveV2 StackCloseV2 TensorArrayCloseV3 WriteFile",
}


@cache
def _by_op() -> dict[str, tuple[str, ...]]:
    return {op: tuple(names.split()) for names, ops in _TABLE.items() for op in ops.split()}


def output_names(op: str) -> tuple[str, ...]:
    """The names of an op type's outputs, in order."""
    return _by_op().get(op, ("output",))
