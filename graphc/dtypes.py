"""tf.dtypes: the types of tensors, and casts. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.ir.dtypes": """
            DType as_dtype bfloat16 bool=bool_ complex128 complex64 double=float64 float16 float32
            float64 half=float16 int16 int32 int64 int8 string uint16 uint32 uint64 uint8""",
        "graphc.tf1.api_math": "cast complex saturate_cast",
        "graphc.tf1.api_strings": "as_string",
    },
)
