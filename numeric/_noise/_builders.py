"""The generators of common symmetries: rescaling, scaling, factorisation, heads."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from numeric._errors import ShapeError
from numeric._noise._generator import Action, Generator


_Layer = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def rescaling(
    model: nn.Module, first: str, second: str, *, unit: int | None = None
) -> Generator:
    """Return the generator of (W, b, U) → (ρW, ρb, U/ρ) between two layers.

    It is a symmetry where everything between the layers is positively homogeneous
    (ReLU, leaky ReLU, pooling, nothing), which is not checked here (P1, Section 3:
    A = diag(I, −I)).

    Args:
        model: holds the two layers.
        first: name of the layer applied first; its weight and bias grow.
        second: name of the layer applied next; its weight shrinks.
        unit: one output of the first layer (a neuron or channel); all when None. A
            linear second layer may see it after a channel-first flattening.

    Returns:
        The generator.

    Raises:
        ShapeError: where the layers do not fit each other, or a unit is not there.

    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> {k: a.scale for k, a in rescaling(net, "0", "2").actions.items()}
    {'0.weight': 1.0, '0.bias': 1.0, '2.weight': -1.0}
    """
    before, after = _layer(model, first), _layer(model, second)
    width, inputs = before.weight.shape[0], _inputs(after)
    if inputs % width:
        raise ShapeError(
            f"rescaling: expected {second!r} to take the {width} outputs of "
            f"{first!r}, got {inputs} inputs"
        )
    left = right = None
    if unit is not None:
        if not 0 <= unit < width or getattr(after, "groups", 1) != 1:
            raise ShapeError(
                f"unit: expected one of the {width} outputs of {first!r} and a second "
                f"layer without groups, got {unit}"
            )
        left = torch.zeros(width, dtype=torch.float64, device=before.weight.device)
        left[unit] = 1.0
        right = left.repeat_interleave(inputs // width)
    actions = {f"{first}.weight": Action(1.0, left=left)}
    if before.bias is not None:
        actions[f"{first}.bias"] = Action(1.0, left=left)
    actions[f"{second}.weight"] = Action(-1.0, right=right)
    return Generator(actions)


def scaling(model: nn.Module, names: Iterable[str] | None = None) -> Generator:
    """Return the generator of θ → ρθ on some parameters, A = I (P1, Eq. (11)).

    Args:
        model: holds the parameters.
        names: their names; all of the model's when None.

    Returns:
        The generator.

    Raises:
        KeyError: for a name that is not there.

    >>> scaling(nn.Linear(2, 1, bias=False)).actions["weight"].scale
    1.0
    """
    there = dict(model.named_parameters())
    chosen = list(there) if names is None else list(names)
    generator = Generator({name: Action(1.0) for name in chosen})
    generator.check(dict(model.named_parameters(remove_duplicate=False)))
    return generator


def matrix_rescaling(model: nn.Module, first: str, second: str, B: Tensor) -> Generator:
    """Return J = (UB, −BW) of ℓ(UR, R⁻¹W) for linear layers U(Wx + b) (P1, Eq. (12)).

    Args:
        model: holds the two layers, with nothing between them.
        first: name of the layer W applied first; its bias moves as W does.
        second: name of the layer U.
        B: the generator of R, shape (d, d); the charge exists for symmetric B.

    Returns:
        The generator.

    Raises:
        ShapeError: where a layer is not linear, or B does not fit.

    >>> net = nn.Sequential(nn.Linear(2, 3, bias=False), nn.Linear(3, 1))
    >>> sorted(matrix_rescaling(net, "0", "1", torch.eye(3)).actions)
    ['0.weight', '1.weight']
    """
    W, _ = linear_pair(model, first, second)
    d = W.weight.shape[0]
    if B.shape != (d, d):
        raise ShapeError(f"B: expected shape {(d, d)}, got {tuple(B.shape)}")
    actions = {f"{second}.weight": Action(1.0, right=B)}
    actions[f"{first}.weight"] = Action(-1.0, left=B)
    if W.bias is not None:
        actions[f"{first}.bias"] = Action(-1.0, left=B)
    return Generator(actions)


def linear_pair(
    model: nn.Module, first: str, second: str
) -> tuple[nn.Linear, nn.Linear]:
    """Return two linear layers that fit each other.

    Args:
        model: holds them.
        first: name of the one applied first.
        second: name of the other.

    Returns:
        Both layers.

    Raises:
        ShapeError: where one is not linear, or their sizes differ.
    """
    W, U = _layer(model, first), _layer(model, second)
    fits = isinstance(W, nn.Linear) and isinstance(U, nn.Linear)
    if not fits or W.weight.shape[0] != U.weight.shape[1]:
        raise ShapeError(
            f"expected linear layers with U.in_features = W.out_features, got "
            f"{first!r} {tuple(W.weight.shape)} and {second!r} {tuple(U.weight.shape)}"
        )
    assert isinstance(W, nn.Linear)
    assert isinstance(U, nn.Linear)
    return W, U


def query_key(
    model: nn.Module, name: str, *, head: int | None = None, B: Tensor | None = None
) -> Generator:
    """Return J(Q) = BQ, J(K) = −BᵀK on the heads of an attention layer.

    The scores (Qx)ᵀ(Ky) of a head do not change, biases included.

    Args:
        model: holds an `nn.MultiheadAttention`, or is one where the name is "".
        name: its name.
        head: one head; every head when None.
        B: shape (head_dim, head_dim); the identity when None.

    Returns:
        The generator.

    Raises:
        ShapeError: where the module is no attention layer, has `bias_k`, or B or the
            head does not fit.

    >>> attention = nn.MultiheadAttention(4, 2)
    >>> sorted(query_key(attention, "").actions)
    ['in_proj_bias', 'in_proj_weight']
    """
    attention, prefix = _attention(model, name)
    block = _head_block(attention, head, B)
    return Generator(_projections(attention, prefix, {0: block, 1: -block.mT}))


def value_output(
    model: nn.Module, name: str, *, head: int | None = None, B: Tensor | None = None
) -> Generator:
    """Return J(V) = BV, J(O) = −OB on the heads of an attention layer.

    Args:
        model: holds an `nn.MultiheadAttention`, or is one where the name is "".
        name: its name.
        head: one head; every head when None.
        B: shape (head_dim, head_dim); the identity when None.

    Returns:
        The generator.

    Raises:
        ShapeError: where the module is no attention layer, has `bias_v`, or B or the
            head does not fit.

    >>> attention = nn.MultiheadAttention(4, 2, bias=False)
    >>> sorted(value_output(attention, "").actions)
    ['in_proj_weight', 'out_proj.weight']
    """
    attention, prefix = _attention(model, name)
    block = _head_block(attention, head, B)
    actions = _projections(attention, prefix, {2: block})
    actions[f"{prefix}out_proj.weight"] = Action(-1.0, right=_slim(block))
    return Generator(actions)


def _layer(model: nn.Module, name: str) -> _Layer:
    try:
        module = model.get_submodule(name)
    except AttributeError as error:
        raise ShapeError(f"no module named {name!r} in the model") from error
    if not isinstance(module, _LAYERS):
        raise ShapeError(
            f"{name!r}: expected a linear or convolution layer, got "
            f"{type(module).__name__}"
        )
    return module


def _inputs(layer: _Layer) -> int:
    return layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels


def _attention(model: nn.Module, name: str) -> tuple[nn.MultiheadAttention, str]:
    module = model.get_submodule(name) if name else model
    if not isinstance(module, nn.MultiheadAttention):
        raise ShapeError(
            f"{name!r}: expected nn.MultiheadAttention, got {type(module).__name__}"
        )
    if module.bias_k is not None:
        raise ShapeError(
            f"{name!r}: bias_k and bias_v join the keys and values after projection, "
            f"so that the heads' symmetry needs them moved too; build the Generator "
            f"by hand"
        )
    return module, f"{name}." if name else ""


def _head_block(
    attention: nn.MultiheadAttention, head: int | None, B: Tensor | None
) -> Tensor:
    """Return B on the rows of the chosen heads, zero elsewhere, shape (E, E)."""
    d, heads, E = attention.head_dim, attention.num_heads, attention.embed_dim
    if B is not None and B.shape != (d, d):
        raise ShapeError(f"B: expected shape {(d, d)}, got {tuple(B.shape)}")
    if head is not None and not 0 <= head < heads:
        raise ShapeError(f"head: expected one of {heads}, got {head}")
    small = torch.eye(d, dtype=torch.float64) if B is None else B.double()
    small = small.to(attention.out_proj.weight.device)
    full = small.new_zeros(E, E)
    for h in range(heads) if head is None else (head,):
        full[h * d : (h + 1) * d, h * d : (h + 1) * d] = small
    return full


def _slim(block: Tensor) -> Tensor:
    """Return the diagonal of a diagonal matrix as a vector."""
    diagonal = block.diagonal()
    plain = bool((block == torch.diag(diagonal)).all())
    return diagonal.clone() if plain else block


def _projections(
    attention: nn.MultiheadAttention, prefix: str, blocks: dict[int, Tensor]
) -> dict[str, Action | tuple[Action, ...]]:
    """Return the actions on the input projections; 0, 1, 2 are query, key, value."""
    E = attention.embed_dim
    packed = next(iter(blocks.values())).new_zeros(3 * E, 3 * E)
    for k, block in blocks.items():
        packed[k * E : (k + 1) * E, k * E : (k + 1) * E] = block
    left = _slim(packed)
    actions: dict[str, Action | tuple[Action, ...]] = {}
    if attention._qkv_same_embed_dim:
        actions[f"{prefix}in_proj_weight"] = Action(1.0, left=left)
    else:
        for k, block in blocks.items():
            name = f"{prefix}{'qkv'[k]}_proj_weight"
            actions[name] = Action(1.0, left=_slim(block))
    if attention.in_proj_bias is not None:
        actions[f"{prefix}in_proj_bias"] = Action(1.0, left=left)
    return actions
