"""Convolutions and their gradients: conv2d, conv3d, depthwise_conv2d_native.

Lives here: the composite records with TF's attributes, their type rules and gradients. Not here:
how they are computed (ops/conv_lower.py), the user's functions (tf1/api_conv.py). Imports
ops.define.

Each kind is a family of three ops, each linear in both of its operands, whose gradients lie in the
family again: the convolution, the gradient of its input, the gradient of its filter.

Attributes as TF has them: `strides` and `dilations` one number an axis of the input, `padding`
"SAME", "VALID" or "EXPLICIT" with `explicit_paddings` (two numbers an axis), `data_format`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphc.ir.dtypes import FLOAT, int32
from graphc.ir.node import Node, Tensor, TensorType
from graphc.ir.shape import PartialDim, dims_equal, dims_product
from graphc.ops.conv_direct import filter_reference, forward_reference, input_reference
from graphc.ops.conv_lower import Layout, expand_filter, expand_forward, expand_input
from graphc.ops.conv_window import Window, check_sizes, check_strides, output_dims, padding_of
from graphc.ops.define import F, InferContext, OpDef, composite
from graphc.ops.extents import fixed_dim, input_dims, need_rank
from graphc.ops.samples import arg, fixed, sample


class Family:
    """The three ops of one kind of convolution.

    Args:
        names, types: graphc's names and TF's op types: forward, input gradient, filter gradient.
        n: number of spatial axes.
    """

    def __init__(self, names: Sequence[str], types: Sequence[str], n: int, depthwise: bool) -> None:
        self.names = tuple(names)
        self.types = tuple(types)
        self.n = n
        self.depthwise = depthwise

    # -------------------------------------------------------------- type rules
    def layout(self, attrs: Any) -> Layout:
        return Layout.of(attrs["data_format"], self.n + 2)

    def _check(self, ctx: InferContext) -> Layout:
        layout = self.layout(ctx.attrs)
        outer = (0, layout.channel)
        check_strides(ctx, self.n + 2, ("strides", "dilations"), outer)
        return layout

    def _outputs(
        self, ctx: InferContext, x: Sequence[PartialDim], w: Sequence[PartialDim]
    ) -> tuple[PartialDim, ...]:
        """The output's shape, from shapes of input and filter."""
        layout, a = self.layout(ctx.attrs), ctx.attrs
        spatial = layout.spatial
        outs = output_dims(
            ctx, [x[i] for i in spatial], [fixed_dim(d) for d in w[:-2]],
            layout.inner(a["strides"]), layout.inner(a["dilations"]), padding_of(a, spatial),
        )  # fmt: skip
        channels = dims_product(w[-2:]) if self.depthwise else w[-1]
        return layout.joined(x[0], outs, channels)

    def _check_depth(self, ctx: InferContext, depth: PartialDim, of_filter: PartialDim) -> None:
        if depth is None or of_filter is None or dims_equal(depth, of_filter) is not False:
            return
        if self.depthwise or self.n != 2:
            raise ctx.fail(f"Dimensions must be equal, but are {depth} and {of_filter}")
        raise ctx.fail(
            f"Depth of input ({depth}) is not a multiple of input depth of filter ({of_filter})"
            if not _divides(of_filter, depth)
            else f"The depth of the input ({depth}) and of the filter ({of_filter}) must be equal:"
            " convolutions in groups are not supported"
        )

    def forward_type(self, ctx: InferContext) -> TensorType:
        layout = self._check(ctx)
        rank = self.n + 2
        need_rank(ctx, 0, rank)
        need_rank(ctx, 1, rank)
        x = ctx.shape(0) or (None,) * rank
        w = ctx.shape(1) or (None,) * rank
        self._check_depth(ctx, x[layout.channel], w[-2])
        return TensorType(ctx.dtype(0), self._outputs(ctx, x, w))

    def input_type(self, ctx: InferContext) -> TensorType:
        layout = self._check(ctx)
        rank = self.n + 2
        need_rank(ctx, 1, rank)
        need_rank(ctx, 2, rank)
        x = input_dims(ctx, 0) or [None] * rank
        if len(x) == 2 and rank == 4:  # the spatial extents alone
            w, g = ctx.shape(1), ctx.shape(2)
            depth = w[-2] if w is not None else None
            x = list(layout.joined(g[0] if g is not None else None, x, depth))
        if len(x) != rank:
            raise ctx.fail(f"{ctx.op.tf} requires input_sizes to contain {rank} values, but got: "
                           f"{len(x)}")  # fmt: skip
        w = ctx.shape(1) or (None,) * rank
        g = ctx.shape(2) or (None,) * rank
        if not self.depthwise:
            self._same(ctx, g[layout.channel], w[-1])
        self._check_depth(ctx, x[layout.channel], w[-2])
        return TensorType(ctx.dtype(1), tuple(self._agree(ctx, x, w, g)))

    def _agree(
        self, ctx: InferContext, x: list[PartialDim], w: Any, g: Any
    ) -> list[PartialDim]:
        """The input's extents, after they were checked to give the gradient's."""
        for want, got in zip(self._outputs(ctx, x, w), g, strict=True):
            if dims_equal(want, got) is False:
                raise ctx.fail(
                    f"{ctx.op.tf}: Size of out_backprop doesn't match computed: actual = {got}, "
                    f"computed = {want}"
                )
        if x[0] is None:
            x = [g[0], *x[1:]]
        return x

    def _same(self, ctx: InferContext, a: PartialDim, b: PartialDim) -> None:
        if dims_equal(a, b) is False:
            raise ctx.fail(f"Dimensions must be equal, but are {a} and {b}")

    def filter_type(self, ctx: InferContext) -> TensorType:
        self._check(ctx)
        rank = self.n + 2
        need_rank(ctx, 0, rank)
        need_rank(ctx, 2, rank)
        w = input_dims(ctx, 1) or [None] * rank
        if len(w) != rank:
            raise ctx.fail(f"{ctx.op.tf} requires filter_sizes to contain {rank} values, but got: "
                           f"{len(w)}")  # fmt: skip
        x = ctx.shape(0) or (None,) * rank
        g = ctx.shape(2) or (None,) * rank
        self._agree(ctx, list(x), w, g)
        return TensorType(ctx.dtype(0), tuple(w))

    # -------------------------------------------------------------- references
    def _window(self, x: Any, w: Any, attrs: Any) -> Window:
        layout = self.layout(attrs)
        return Window.over(
            x[1:-1], w[:-2], layout.inner(attrs["strides"]),
            layout.inner(attrs.get("dilations", (1,) * (self.n + 2))),
            padding_of(attrs, layout.spatial),
        )  # fmt: skip

    def forward_numpy(self, x: Any, w: Any, **attrs: Any) -> Any:
        layout = self.layout(attrs)
        x = layout.moved_last(x)
        window = self._window(x.shape, w.shape, attrs)
        return layout.moved_back(forward_reference(x, w, window, self.depthwise))

    def input_numpy(self, sizes: Any, w: Any, g: Any, **attrs: Any) -> Any:
        layout = self.layout(attrs)
        g = layout.moved_last(g)
        x = layout.full(sizes, g.shape[0], w.shape[-2])
        window = self._window(x, w.shape, attrs)
        check_sizes(self.types[1], g.shape[1:-1], window.outs)  # type: ignore[arg-type]
        return layout.moved_back(input_reference(x, w, g, window, self.depthwise))

    def filter_numpy(self, x: Any, sizes: Any, g: Any, **attrs: Any) -> Any:
        layout = self.layout(attrs)
        x, g = layout.moved_last(x), layout.moved_last(g)
        window = self._window(x.shape, [int(d) for d in sizes], attrs)
        check_sizes(self.types[2], g.shape[1:-1], window.outs)  # type: ignore[arg-type]
        return filter_reference(x, sizes, g, window, self.depthwise)

    # -------------------------------------------------------------- gradients
    def _op(self, which: int) -> OpDef:
        found: OpDef = getattr(F, self.names[which])
        return found

    def forward_grad(self, node: Node, g: Tensor) -> tuple[Any, ...]:
        x, w = node.inputs
        return (
            self._op(1)(F.shape(x), w, g, **node.attrs),
            self._op(2)(x, F.shape(w), g, **node.attrs),
        )

    def input_grad(self, node: Node, gg: Tensor) -> tuple[Any, ...]:
        _, w, g = node.inputs
        return (
            None,
            self._op(2)(gg, F.shape(w), g, **node.attrs),
            self._op(0)(gg, w, **node.attrs),
        )

    def filter_grad(self, node: Node, gg: Tensor) -> tuple[Any, ...]:
        x, _, g = node.inputs
        return (
            self._op(1)(F.shape(x), gg, g, **node.attrs),
            None,
            self._op(0)(x, gg, **node.attrs),
        )

    # -------------------------------------------------------------- records
    def records(self, cases: Sequence[Any]) -> tuple[OpDef, OpDef, OpDef]:
        """The three records. cases: (input, filter, output, attributes) of samples."""
        dw = self.depthwise
        forward = composite(
            self.names[0], tf=self.types[0], infer=self.forward_type, numpy=self.forward_numpy,
            expand=lambda node: expand_forward(node, dw), grad=self.forward_grad,
            args=("input", "filter"), dtypes={"T": FLOAT},
            default_name="depthwise" if dw else "",
            samples=tuple(sample(arg(x), arg(w), **a) for x, w, _, a in cases),
        )  # fmt: skip
        of_input = composite(
            self.names[1], tf=self.types[1], infer=self.input_type, numpy=self.input_numpy,
            expand=lambda node: expand_input(node, dw), grad=self.input_grad,
            args=("input_sizes", "filter", "out_backprop"), groups=(int32, "T", "T"),
            dtypes={"T": FLOAT}, shape_inputs=(0,),
            samples=tuple(
                sample(fixed(x, int32, const=True), arg(w), arg(y), **a) for x, w, y, a in cases
            ),
        )  # fmt: skip
        of_filter = composite(
            self.names[2], tf=self.types[2], infer=self.filter_type, numpy=self.filter_numpy,
            expand=lambda node: expand_filter(node, dw), grad=self.filter_grad,
            args=("input", "filter_sizes", "out_backprop"), groups=("T", int32, "T"),
            dtypes={"T": FLOAT}, shape_inputs=(1,),
            samples=tuple(
                sample(arg(x), fixed(w, int32, const=True), arg(y), **a) for x, w, y, a in cases
            ),
        )  # fmt: skip
        return forward, of_input, of_filter


def _divides(part: PartialDim, whole: PartialDim) -> bool:
    return isinstance(part, int) and isinstance(whole, int) and part > 0 and whole % part == 0


def _attrs(strides: Any, padding: str, data_format: str = "NHWC", **more: Any) -> dict[str, Any]:
    attrs = {"strides": strides, "padding": padding, "data_format": data_format, **more}
    attrs.setdefault("dilations", (1,) * len(strides))
    return attrs


def _wide(strides: Any, padding: str) -> dict[str, Any]:
    """Samples with more products in a sum, whose rounding differs more."""
    return {**_attrs(strides, padding), "grad": False, "tolerance": 20.0}


_ONE = (1, 1, 1, 1)
_PLAIN: tuple[Any, ...] = (
    ((2, 5, 4, 3), (3, 2, 3, 2), (2, 5, 4, 2), _attrs(_ONE, "SAME")),
    ((1, 5, 6, 2), (2, 3, 2, 4), (1, 2, 2, 4), _attrs((1, 2, 2, 1), "VALID")),
    ((1, 4, 4, 2), (3, 3, 2, 3), (1, 2, 2, 3), _attrs((1, 2, 2, 1), "SAME")),
    ((1, 2, 5, 4), (3, 2, 2, 3), (1, 3, 3, 2), _attrs((1, 1, 2, 2), "SAME", "NCHW")),
    ((1, 5, 5, 2), (2, 2, 2, 2), (1, 3, 3, 2), _attrs(_ONE, "VALID", dilations=(1, 2, 2, 1))),
    ((1, 2, 2, 2), (3, 4, 2, 2), (1, 2, 2, 2), _attrs(_ONE, "SAME")),
    (
        (1, 3, 3, 2), (2, 2, 2, 2), (1, 2, 5, 2),
        _attrs((1, 2, 1, 1), "EXPLICIT", explicit_paddings=(0, 0, 1, 0, 2, 1, 0, 0)),
    ),
    # wide enough for GEMM
    ((2, 4, 3, 16), (3, 3, 16, 16), (2, 4, 3, 16), _wide(_ONE, "SAME")),
    ((2, 5, 5, 16), (3, 2, 16, 16), (2, 3, 3, 16), _wide((1, 2, 2, 1), "SAME")),
    ((3, 2, 3, 16), (1, 1, 16, 32), (3, 2, 3, 32), _wide(_ONE, "VALID")),
)  # fmt: skip

_DEPTHWISE: tuple[Any, ...] = (
    ((2, 4, 5, 2), (3, 2, 2, 2), (2, 4, 5, 4), _attrs(_ONE, "SAME")),
    ((1, 5, 5, 3), (2, 2, 3, 1), (1, 2, 2, 3), _attrs((1, 2, 2, 1), "VALID")),
    ((1, 2, 5, 4), (3, 2, 2, 2), (1, 4, 3, 2), _attrs((1, 1, 2, 2), "SAME", "NCHW")),
    ((1, 6, 6, 2), (2, 3, 2, 1), (1, 6, 6, 2), _attrs(_ONE, "SAME", dilations=(1, 2, 2, 1))),
)  # fmt: skip

_FIVE = (1, 1, 1, 1, 1)
_SOLID: tuple[Any, ...] = (
    ((1, 3, 4, 3, 2), (2, 3, 1, 2, 2), (1, 3, 4, 3, 2), _attrs(_FIVE, "SAME", "NDHWC")),
    ((1, 4, 4, 3, 1), (2, 2, 2, 1, 2), (1, 2, 2, 1, 2), _attrs((1, 2, 2, 2, 1), "VALID", "NDHWC")),
    (
        (1, 1, 4, 3, 3), (2, 2, 2, 1, 2), (1, 2, 2, 2, 2),
        _attrs((1, 1, 2, 2, 2), "SAME", "NCDHW"),
    ),
    (
        (1, 3, 3, 3, 8), (2, 2, 2, 8, 16), (1, 2, 2, 2, 16),
        {**_attrs((1, 2, 2, 2, 1), "SAME", "NDHWC"), "grad": False, "tolerance": 20.0},
    ),
)  # fmt: skip

conv2d, conv2d_backprop_input, conv2d_backprop_filter = Family(
    ("conv2d", "conv2d_backprop_input", "conv2d_backprop_filter"),
    ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter"), 2, False,
).records(_PLAIN)  # fmt: skip

conv3d, conv3d_backprop_input, conv3d_backprop_filter = Family(
    ("conv3d", "conv3d_backprop_input", "conv3d_backprop_filter"),
    ("Conv3D", "Conv3DBackpropInputV2", "Conv3DBackpropFilterV2"), 3, False,
).records(_SOLID)  # fmt: skip

(
    depthwise_conv2d_native,
    depthwise_conv2d_native_backprop_input,
    depthwise_conv2d_native_backprop_filter,
) = Family(
    (
        "depthwise_conv2d_native", "depthwise_conv2d_native_backprop_input",
        "depthwise_conv2d_native_backprop_filter",
    ),
    (
        "DepthwiseConv2dNative", "DepthwiseConv2dNativeBackpropInput",
        "DepthwiseConv2dNativeBackpropFilter",
    ), 2, True,
).records(_DEPTHWISE)  # fmt: skip

__all__ = [
    "conv2d", "conv2d_backprop_filter", "conv2d_backprop_input", "conv3d",
    "conv3d_backprop_filter", "conv3d_backprop_input", "depthwise_conv2d_native",
    "depthwise_conv2d_native_backprop_filter", "depthwise_conv2d_native_backprop_input",
]  # fmt: skip
