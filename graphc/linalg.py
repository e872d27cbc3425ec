"""tf.linalg: linear algebra. Names are imported when they are first used."""

from __future__ import annotations

from graphc._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "graphc.tf1.api_linalg": """
            adjoint cholesky cholesky_solve cross det=matrix_determinant eigh=self_adjoint_eig
            eigvalsh=self_adjoint_eigvals einsum inv=matrix_inverse logdet matmul matvec norm
            qr slogdet solve=matrix_solve svd tensordot trace
            triangular_solve=matrix_triangular_solve""",
        "graphc.tf1.api_array": """
            band_part=matrix_band_part diag=matrix_diag diag_part=matrix_diag_part eye
            set_diag=matrix_set_diag tensor_diag=diag tensor_diag_part=diag_part
            matrix_transpose transpose=matrix_transpose""",
        "graphc.tf1.api_linalg_more": "expm lstsq matrix_rank normalize pinv",
        "graphc.tf1.linear_operator": """
            LinearOperator LinearOperatorFullMatrix LinearOperatorLowerTriangular""",
        "graphc.tf1.linear_operator_diag": """
            LinearOperatorDiag LinearOperatorIdentity LinearOperatorScaledIdentity
            LinearOperatorZeros""",
        "graphc.tf1.linear_operator_joined": """
            LinearOperatorAdjoint LinearOperatorBlockDiag LinearOperatorComposition
            LinearOperatorInversion LinearOperatorKronecker LinearOperatorLowRankUpdate""",
        "graphc.tf1.api_math": "global_norm",
        "graphc.tf1.api_nn": "l2_normalize",
    },
)
