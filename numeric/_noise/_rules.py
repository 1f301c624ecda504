"""What the operations of a model leave of the per-sample gradients of a parameter.

A rule belongs to one kind of autograd node. From the tensors that the node saved and
the gradient δ of its output it makes a `Source`, after the batch axis of these tensors
was found by comparison (`_layout`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from numeric._noise._conv import conv_samples
from numeric._noise._layout import Layout, split_axis
from numeric._noise._paths import Node, Path, adjoint, kinds, swapped
from numeric._noise._sources import Direct, Lookup, Rows, Source, Summed, Vectors


_WIDE = (torch.float32, torch.float64)  # precisions that sums are taken in


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """One operation on one parameter.

    Attributes:
        name: the parameter's.
        leaf: the parameter.
        path: views between the parameter and the operation.
        node: the operation.
        slot: which input of the node.
        kind: the name of the operation's node.
    """

    name: str
    leaf: Tensor
    path: Path
    node: Node
    slot: int
    kind: str = field(init=False)

    def __post_init__(self) -> None:
        """Look up the name of the node."""
        object.__setattr__(self, "kind", type(self.node).__name__)

    @property
    def signature(self) -> tuple[object, ...]:
        """What two passes over the same model have in common."""
        return (self.name, self.kind, self.slot, kinds(self.path))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of what the operation saw of the parameter."""
        if not self.path:
            return tuple(self.leaf.shape)
        node, output = self.path[-1]
        return tuple(node._input_metadata[output].shape)


def operands(use: Use) -> list[Tensor]:
    """Return the tensors that a rule needs besides δ, as the forward pass saved them.

    Raises:
        LookupError: where there is no rule.
    """
    rule = _RULES.get(use.kind)
    if rule is None:
        raise LookupError(f"no rule for {use.kind.removesuffix('Backward0')}")
    return rule[0](use)


def compared(use: Use, tensors: list[Tensor], delta: Tensor) -> list[Tensor]:
    """Return those of an operation's tensors that share its batch axis."""
    extra = [t for t in tensors if t.ndim == delta.ndim and _RULES[use.kind][2]]
    if use.kind == "EmbeddingBackward0":
        extra = [tensors[0].unsqueeze(-1)]
    if use.kind == "MulBackward0":  # a factor may be constant over the batch
        extra = [t for t in extra if t.shape == delta.shape]
    return [delta, *extra]


def source(
    use: Use,
    tensors: list[Tensor],
    delta: Tensor,
    layout: Layout,
    N: int,
    memo: dict[Node, Vectors],
) -> Source:
    """Return the per-sample gradients that one operation contributes.

    Args:
        use: the operation.
        tensors: its `operands`.
        delta: gradient of its output.
        layout: of the tensors and δ.
        N: samples in the batch.
        memo: the rows of δ, shared by a layer's weight and bias.

    Returns:
        In the parameter's shape.

    Raises:
        LookupError: where the operation is used in a way that has no rule.
    """
    wide = use.leaf.dtype
    if wide not in _WIDE:
        wide = torch.promote_types(wide, torch.float32)
    if delta.dtype != wide:  # the operands follow δ
        delta = delta.to(wide)
        tensors = [t.to(wide) if t.is_floating_point() else t for t in tensors]
    if use.kind != "AddmmBackward0" or layout.axis or len(delta) != N:
        return _RULES[use.kind][1](use, tensors, delta, layout, N)
    return _single_rows(use, tensors, delta, layout, memo)


def _single_rows(
    use: Use,
    tensors: list[Tensor],
    delta: Tensor,
    layout: Layout,
    memo: dict[Node, Vectors],
) -> Source:
    """Let weight and bias of a layer with one row for each sample share δ, centred."""
    if use.node not in memo:
        memo[use.node] = Vectors(delta)
    bias = use.slot == 0 and not use.path and use.node._saved_beta == 1
    if bias and tuple(use.leaf.shape) == tuple(delta.shape[1:]):
        return memo[use.node]
    made = _matmul_rule(use, tensors, delta, layout, len(delta))
    if isinstance(made, Rows) and use.node._saved_alpha == 1:
        turned = swapped(use.path, tuple(use.leaf.shape))
        left, right = (memo[use.node], None) if turned else (None, memo[use.node])
        return Rows(made.p, made.q, left, right)
    return made


def _carried(use: Use, made: Source) -> Source:
    """Bring gradients of what the operation saw to the parameter."""
    if not use.path:
        return made
    shape = tuple(use.leaf.shape)
    work = made.work if isinstance(made, Direct) else math.prod(made.shape)
    return Direct(
        made.count,
        shape,
        lambda low, high: adjoint(use.path, made.samples(low, high)),
        work,
    )


# Elementwise: E has the shape of δ, the operand is aligned to its last axes.


def _elementwise(
    use: Use, E: Tensor, seen: tuple[int, ...], layout: Layout, N: int
) -> Source:
    """Sum E over the axes along which the operand was broadcast."""
    padded = (1,) * (E.ndim - len(seen)) + seen
    if padded[layout.axis] != 1:
        raise LookupError("the parameter has an entry for every sample")
    front = layout.front(E, N)  # (N, K, *rest)
    rest = padded[: layout.axis] + padded[layout.axis + 1 :]
    axes = (1, *(k + 2 for k, n in enumerate(rest) if n == 1))
    shape = tuple(use.leaf.shape) if not use.path else use.shape
    if not use.path and len(shape) == 1 and axes == (1,) and front.shape[1] > 1:
        return Summed(front)
    sums = any(front.shape[k] > 1 for k in axes)
    total = front.sum(axes) if sums else front
    total = total.reshape(N, *shape)
    if len(shape) == 1 and not use.path:
        return Vectors(total)
    made = Direct(N, shape, lambda low, high: total[low:high])
    return _carried(use, made)


def _none(_use: Use) -> list[Tensor]:
    return []


def _sum_rule(
    use: Use, _tensors: list[Tensor], delta: Tensor, layout: Layout, N: int
) -> Source:
    factor = float(use.node._saved_alpha) if use.slot == 1 else 1.0
    sign = -1.0 if use.kind == "SubBackward0" and use.slot == 1 else 1.0
    E = delta if factor * sign == 1.0 else delta * (factor * sign)
    return _elementwise(use, E, use.shape, layout, N)


def _product_operands(use: Use) -> list[Tensor]:
    other = use.node._saved_other if use.slot == 0 else use.node._saved_self
    return [other]


def _product_rule(
    use: Use, tensors: list[Tensor], delta: Tensor, layout: Layout, N: int
) -> Source:
    return _elementwise(use, delta * tensors[0], use.shape, layout, N)


# Normalisations: E = δ times the normalised input for the weight, δ for the bias.


def _norm_operands(use: Use) -> list[Tensor]:
    return [_normalised(use.node, use.kind)] if use.slot == 1 else []


def _normalised(node: Node, kind: str) -> Tensor:
    x: Tensor = node._saved_input.detach()
    scaled: Tensor
    if kind == "NativeLayerNormBackward0":
        scaled = (x - node._saved_result1) * node._saved_result2
        return scaled
    if kind == "FusedRmsNormBackward0":
        scaled = x * node._saved_result1
        return scaled
    if kind == "NativeGroupNormBackward0":
        groups = split_axis(x, 1, (node._saved_group, -1)).flatten(2)
        mean = node._saved_result1.view(groups.shape[0], -1, 1)
        rstd = node._saved_result2.view(groups.shape[0], -1, 1)
        scaled = ((groups - mean) * rstd).view(x.shape)
        return scaled
    if node._saved_training or node._saved_running_mean is None:
        raise LookupError("batch normalisation with the statistics of the batch")
    trail = [1] * (x.ndim - 2)
    mean = node._saved_running_mean.view(-1, *trail)
    rstd = torch.rsqrt(node._saved_running_var + node._saved_eps).view(-1, *trail)
    scaled = (x - mean) * rstd
    return scaled


def _norm_rule(
    use: Use, tensors: list[Tensor], delta: Tensor, layout: Layout, N: int
) -> Source:
    E = delta * tensors[0] if use.slot == 1 else delta
    seen = use.shape
    if use.kind in {"NativeGroupNormBackward0", "NativeBatchNormBackward0"}:
        seen = (*seen, *[1] * (delta.ndim - 2))
    return _elementwise(use, E, seen, layout, N)


# Products of matrices: rows of one factor times rows of δ.


def _matmul_operands(use: Use) -> list[Tensor]:
    node = use.node
    if use.kind == "MmBackward0":
        return [node._saved_mat2 if use.slot == 0 else node._saved_self]
    if use.slot == 0:
        # The bias shares the rows of the product, which tell where the samples lie.
        return [] if node._saved_mat1 is None else [node._saved_mat1]
    return [node._saved_mat2 if use.slot == 1 else node._saved_mat1]


def _matmul_rule(
    use: Use, tensors: list[Tensor], delta: Tensor, layout: Layout, N: int
) -> Source:
    scale = 1.0
    if use.kind == "AddmmBackward0":
        scale = float(use.node._saved_beta if use.slot == 0 else use.node._saved_alpha)
        delta = delta if scale == 1.0 else delta * scale
        if use.slot == 0:
            return _elementwise(use, delta, use.shape, layout, N)
    right = use.slot == (1 if use.kind == "MmBackward0" else 2)
    if layout.axis != (0 if right else 1):
        raise LookupError("a product over the samples")
    other = layout.front(tensors[0], N)  # (N, K, d)
    ours = layout.front(delta, N)
    first, second = (other, ours) if right else (ours, other)
    turned = swapped(use.path, tuple(use.leaf.shape))
    if turned is None:
        return _carried(use, Rows(first, second))
    return Rows(second, first) if turned else Rows(first, second)


def _embedding_operands(use: Use) -> list[Tensor]:
    node = use.node
    if node._saved_sparse or node._saved_scale_grad_by_freq:
        raise LookupError("an embedding that is sparse or scaled by frequency")
    return [node._saved_indices]


def _embedding_rule(
    use: Use, tensors: list[Tensor], delta: Tensor, layout: Layout, N: int
) -> Source:
    if layout.axis == delta.ndim - 1:
        raise LookupError("an embedding with the samples on its last axis")
    index = layout.front(tensors[0], N).reshape(N, -1)
    q = layout.front(delta, N).reshape(N, -1, delta.shape[-1])
    padding = use.node._saved_padding_idx
    padding = padding - (1 << 64) if padding >= 1 << 63 else padding
    if padding >= 0:
        q = q.masked_fill((index == padding).unsqueeze(-1), 0.0)
    return _carried(use, Lookup(index, q, use.shape[0]))


def _conv_operands(use: Use) -> list[Tensor]:
    return [use.node._saved_input]


def _conv_rule(
    use: Use, tensors: list[Tensor], delta: Tensor, layout: Layout, N: int
) -> Source:
    if use.slot == 2:
        seen = (*use.shape, *[1] * (delta.ndim - 2))
        return _elementwise(use, delta, seen, layout, N)
    if layout.axis != 0:
        raise LookupError("a convolution without a batch axis in front")
    x, d = layout.front(tensors[0], N), layout.front(delta, N)  # (N, K, C, …)
    node, shape = use.node, use.shape
    groups, transposed = int(node._saved_groups), bool(node._saved_transposed)
    if transposed:  # the same sum, with input and output exchanged
        x, d = d, x
    geometry = tuple(
        tuple(int(k) for k in getattr(node, f"_saved_{name}"))
        for name in ("stride", "padding", "dilation")
    )

    def make(low: int, high: int) -> Tensor:
        return conv_samples(x[low:high], d[low:high], shape, geometry, groups)

    patches = d[0].numel() // d.shape[2] * x.shape[2] * math.prod(shape[2:])
    return _carried(use, Direct(N, shape, make, patches))


_Operands = Callable[[Use], list[Tensor]]
_Maker = Callable[[Use, list[Tensor], Tensor, Layout, int], Source]

# kind → (operands, source, whether the operands share δ's batch axis)
_RULES: dict[str, tuple[_Operands, _Maker, bool]] = {
    "AddBackward0": (_none, _sum_rule, False),
    "SubBackward0": (_none, _sum_rule, False),
    "MulBackward0": (_product_operands, _product_rule, True),
    "NativeLayerNormBackward0": (_norm_operands, _norm_rule, True),
    "FusedRmsNormBackward0": (_norm_operands, _norm_rule, True),
    "NativeGroupNormBackward0": (_norm_operands, _norm_rule, True),
    "NativeBatchNormBackward0": (_norm_operands, _norm_rule, True),
    "AddmmBackward0": (_matmul_operands, _matmul_rule, True),
    "MmBackward0": (_matmul_operands, _matmul_rule, True),
    "EmbeddingBackward0": (_embedding_operands, _embedding_rule, True),
    "ConvolutionBackward0": (_conv_operands, _conv_rule, True),
}
