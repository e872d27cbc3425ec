"""Conversions of float16 for processors without an instruction for them.

Lives here: LLVM IR of the two functions that LLVM calls there. Only render/vector.py imports this
module. Elsewhere the functions stand unused in the object.
"""

from __future__ import annotations

FUNCTIONS = """\
define linkonce_odr hidden float @__extendhfsf2(half %x) nounwind {
  %bits = bitcast half %x to i16
  %wide = zext i16 %bits to i32
  %low = and i32 %wide, 32767
  %signed = and i32 %wide, 32768
  %sign = shl i32 %signed, 16
  %shifted = shl i32 %low, 13
  ; from a bias of 15 to one of 127
  %normal = add i32 %shifted, 939524096
  %special = or i32 %shifted, 2139095040
  %is_special = icmp uge i32 %low, 31744
  %large = select i1 %is_special, i32 %special, i32 %normal
  %count = sitofp i32 %low to float
  %tiny = fmul float %count, 0x3E70000000000000
  %tiny_bits = bitcast float %tiny to i32
  %is_tiny = icmp ult i32 %low, 1024
  %size = select i1 %is_tiny, i32 %tiny_bits, i32 %large
  %all = or i32 %size, %sign
  %result = bitcast i32 %all to float
  ret float %result
}
define linkonce_odr hidden half @__truncsfhf2(float %x) nounwind {
  %bits = bitcast float %x to i32
  %low = and i32 %bits, 2147483647
  %high = lshr i32 %bits, 16
  %sign = and i32 %high, 32768
  ; to nearest, ties to even: add half a unit, less the last bit's complement
  %shifted = lshr i32 %low, 13
  %last = and i32 %shifted, 1
  %half = add i32 %low, 4095
  %rounded = add i32 %half, %last
  %cut = lshr i32 %rounded, 13
  %normal = sub i32 %cut, 114688
  ; below 2**-14 the unit is 2**-24, which is the unit of 1/2 in float32
  %size = bitcast i32 %low to float
  %sum = fadd float %size, 0x3FE0000000000000
  %sum_bits = bitcast float %sum to i32
  %tiny = sub i32 %sum_bits, 1056964608
  %is_tiny = icmp ult i32 %low, 947912704
  %finite = select i1 %is_tiny, i32 %tiny, i32 %normal
  %overflows = icmp uge i32 %low, 1199566848
  %bounded = select i1 %overflows, i32 31744, i32 %finite
  %payload = and i32 %shifted, 511
  %nan = or i32 %payload, 32256
  %is_nan = icmp ugt i32 %low, 2139095040
  %chosen = select i1 %is_nan, i32 %nan, i32 %bounded
  %all = or i32 %chosen, %sign
  %narrow = trunc i32 %all to i16
  %result = bitcast i16 %narrow to half
  ret half %result
}
"""
