"""Coefficients of the vector math: near-minimax polynomials, highest degree first.

Lives here: numbers only, one record per float type. Not here: how they are used
(kernel/approx.py, kernel/approx_special.py). All were interpolated at Chebyshev nodes in 60-digit
arithmetic; the comment beside a polynomial says what it approximates and where.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphc.ir.dtypes import DType, float32, float64, int32, int64, uint32, uint64

Coefs = tuple[float, ...]


@dataclass(frozen=True)
class FloatSpec:
    """What the algorithms need to know of a float type.

    Attributes:
        bits: mantissa bits without the hidden one. magic: 1.5 * 2**bits; adding it rounds a small
            float to an integer that stands in the low mantissa bits.
        exp_lo, exp_hi: below and above, exp is 0 and inf.
        expm1_lo: below, expm1 rounds to -1.
        ln2_hi, ln2_lo: their sum is ln 2; ln2_hi has so few bits that n * ln2_hi is exact.
        tiny: below it f(x) = x for odd f with f'(0) = 1, up to rounding.
    """

    dtype: DType
    int_type: DType
    uint_type: DType
    bits: int
    bias: int
    magic: float
    min_normal: float
    exp_lo: float
    exp_hi: float
    expm1_lo: float
    ln2_hi: float
    ln2_lo: float
    tiny: float
    exp: Coefs  # (exp(r) - 1 - r) / r^2, |r| <= ln(2) / 2
    sin: Coefs  # (sin(r) - r) / r^3 in z = r^2, |r| <= pi / 4
    cos: Coefs  # (cos(r) - 1 + z / 2) / z^2 in z = r^2
    asin: Coefs  # (asin(x) - x) / x^3 in z = x^2, |x| <= 1/2
    atan: Coefs  # (atan(x) - x) / x^3 in z = x^2, |x| <= tan(pi / 8)


F32 = FloatSpec(
    dtype=float32,
    int_type=int32,
    uint_type=uint32,
    bits=23,
    bias=127,
    magic=12582912.0,
    min_normal=1.1754943508222875e-38,
    exp_lo=-104.0,
    exp_hi=90.0,
    expm1_lo=-20.0,
    ln2_hi=0.693359375,
    ln2_lo=-2.12194440054690583e-4,
    tiny=2.0**-13,
    exp=(
        0.00019891030654370328, 0.0013933685862617174, 0.0083333108895820772,
        0.041666464602026542, 0.16666666681659179, 0.50000000134981779,
    ),
    sin=(2.7249314054698805e-6, -0.00019840082012765537, 0.008333331865959414,
         -0.16666666663832764),
    cos=(-2.7300448619488355e-7, 2.4800596435621997e-5, -0.001388888766471362,
         0.041666666664302406),
    asin=(
        0.03369084720283012, 0.017149238357677253, 0.031100662735494568, 0.044599401528512184,
        0.075000945434974235, 0.16666666336430907,
    ),
    atan=(
        -0.064498352245914959, 0.1074309966767457, -0.14263897112598675, 0.19999538794771921,
        -0.33333331753816969,
    ),
)  # fmt: skip

F64 = FloatSpec(
    dtype=float64,
    int_type=int64,
    uint_type=uint64,
    bits=52,
    bias=1023,
    magic=6755399441055744.0,
    min_normal=2.2250738585072014e-308,
    exp_lo=-746.0,
    exp_hi=711.0,
    expm1_lo=-40.0,
    ln2_hi=6.93147180369123816490e-01,
    ln2_lo=1.90821492927058770002e-10,
    tiny=2.0**-28,
    exp=(
        2.0914717341716376e-9, 2.5105259538448493e-8, 2.755727357010214e-7,
        2.7557255297969644e-6, 2.4801587325605323e-5, 0.00019841269874901259,
        0.0013888888888883732, 0.0083333333333261121, 0.04166666666666667, 0.16666666666666671,
        0.5,
    ),
    sin=(
        1.5917848524808261e-10, -2.5051127944014188e-8, 2.7557316083816359e-6,
        -0.00019841269836722418, 0.0083333333333309246, -0.16666666666666665,
    ),
    cos=(
        -1.1382456778061306e-11, 2.0876143827993132e-9, -2.7557317260008838e-7,
        2.4801587298743069e-5, -0.0013888888888887382, 0.041666666666666665,
    ),
    asin=(
        0.028757851367421565, -0.014851887071247203, 0.017400879442694022,
        0.0054575067186403583, 0.010322814350185779, 0.011479177415184906,
        0.013971212973552933, 0.017352392720869973, 0.022372172942149888,
        0.030381944138531247, 0.04464285714635543, 0.074999999999984329, 0.16666666666666668,
    ),
    atan=(
        0.01627194475162406, -0.034558092551413796, 0.045511081263251719,
        -0.052303478730160742, 0.058789145444006217, -0.066664236280692576,
        0.076922963049744701, -0.090909087510766359, 0.11111111105106705,
        -0.14285714285659327, 0.19999999999999803, -0.33333333333333333,
    ),
)  # fmt: skip

SPEC = {float32: F32, float64: F64}

# (log(1 + m) - m + m^2 / 2) / m^3 on [sqrt(1/2) - 1, sqrt(2) - 1]
LOG32: Coefs = (
    0.069716114714511778, -0.11479733846637636, 0.11685419923486739, -0.12425687331451106,
    0.1424905764569748, -0.16667802319501254, 0.20000715748892102, -0.24999996957950882,
    0.33333331180030048,
)  # fmt: skip

# (2 atanh(s) - 2 s) / s^3 in z = s^2, s = f / (2 + f), f in [sqrt(1/2) - 1, sqrt(2) - 1]
LOG64: Coefs = (
    0.14617807153417325, 0.15331611722055008, 0.18182892432536871, 0.22222211089379496,
    0.28571428626253838, 0.39999999999898891, 0.66666666666666697,
)  # fmt: skip

# tanh(x) = x P(x^2) / Q(x^2) on |x| <= 8 (float32), 1 - 2^-24 beyond
TANH32_MAX = 8.0
TANH32_P: Coefs = (
    1.5236882842947848e-08, 2.1899772179890692e-05, 0.0035719262310659975, 0.13444780034303963,
    0.9999999941028852,
)  # fmt: skip
TANH32_Q: Coefs = (
    8.525227704410685e-07, 0.00034118165411379576, 0.02616570925436213, 0.4677810765414148, 1.0,
)  # fmt: skip

# erf(x) = x P(x^2) / Q(x^2) on |x| <= 3.735 (float32), 1 beyond
ERF32_MAX = 3.735
ERF32_P: Coefs = (
    0.00022833739177361594, 0.003227412453486773, 0.05039594754047051, 0.18039323056294587,
    1.1283791517455122,
)  # fmt: skip
ERF32_Q: Coefs = (
    -1.2494970844256383e-07, 2.4066526279399772e-05, 0.0009816869021167728, 0.013699200077256442,
    0.10906554207503757, 0.4932022057975364, 1.0,
)  # fmt: skip
