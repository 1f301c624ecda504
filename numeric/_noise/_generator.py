"""Linear and affine generators on the named parameters of a torch model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor

from numeric._errors import ShapeError
from numeric._noise._kernels import square_sum


_ASYMMETRY = 1e-14  # of ‖A − Aᵀ‖²/‖A‖², where no equality of bits decides
_TAYLOR = 40  # terms for a step of norm 1: 1/40! is far below rounding


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """The map W ↦ scale · left @ W @ right on one parameter.

    Attributes:
        scale: a finite number.
        left: acts on the first axis; None (identity), a vector (the diagonal) or a
            square matrix.
        right: acts on the second axis from the right; likewise. Later axes are
            untouched.

    Raises:
        ShapeError: for a factor that is neither a vector nor a square matrix.
        ValueError: for numbers that are not finite.

    >>> Action(-1.0, left=torch.tensor([1.0, 0.0])).apply(torch.ones(2, 3))
    tensor([[-1., -1., -1.],
            [-0., -0., -0.]])
    """

    scale: float = 1.0
    left: Tensor | None = None
    right: Tensor | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.scale):
            raise ValueError(f"scale: expected a finite number, got {self.scale}")
        for name, factor in (("left", self.left), ("right", self.right)):
            if factor is not None:
                _check_factor(name, factor)

    def apply(self, W: Tensor) -> Tensor:
        """Return scale · left @ W @ right.

        Args:
            W: shape of the parameter.

        Returns:
            The same shape, dtype and device as W.

        Raises:
            ShapeError: where a factor does not fit the axis it acts on.
        """
        self.check("the parameter", W.shape)
        out = act(W.unsqueeze(0), self.left, self.right).squeeze(0)
        return self.scale * out

    def check(self, name: str, shape: torch.Size) -> None:
        """Refuse a parameter that the factors do not fit.

        Args:
            name: how to call the parameter in the message.
            shape: its shape.

        Raises:
            ShapeError: where a factor does not fit the axis it acts on.
        """
        for axis, (side, factor) in enumerate(
            (("left", self.left), ("right", self.right))
        ):
            if factor is None:
                continue
            if len(shape) <= axis or shape[axis] != factor.shape[0]:
                raise ShapeError(
                    f"{name}: expected a {side} factor of the size of axis {axis} of "
                    f"{tuple(shape)}, got shape {tuple(factor.shape)}"
                    + ("; a vector has left only" if len(shape) == 1 and axis else "")
                )

    @property
    def symmetric(self) -> bool:
        """Whether the map is symmetric: L⊗R both symmetric, or both antisymmetric."""
        if not self.scale:
            return True
        signs = {_parity(f) for f in (self.left, self.right) if f is not None}
        if 0 in signs:
            return False
        one_sided = self.left is None or self.right is None
        return signs <= {1} or (signs == {-1} and not one_sided)


def _check_shift(name: str, b: object) -> None:
    if not isinstance(b, Tensor):
        raise TypeError(f"shift of {name!r}: expected a tensor, got {type(b).__name__}")
    if not bool(torch.isfinite(b).all()):
        raise ValueError(f"shift of {name!r}: expected finite numbers")


def _check_factor(name: str, factor: object) -> None:
    if not isinstance(factor, Tensor) or factor.is_complex():
        raise TypeError(
            f"{name}: expected None or a real tensor, got {type(factor).__name__}"
        )
    good = factor.ndim == 1 or (factor.ndim == 2 and factor.shape[0] == factor.shape[1])
    if not good:
        raise ShapeError(
            f"{name}: expected a vector (the diagonal) or a square matrix, got shape "
            f"{tuple(factor.shape)}"
        )
    if not bool(torch.isfinite(factor).all()):
        raise ValueError(f"{name}: expected finite numbers; mend the tensor first")


def _parity(factor: Tensor) -> int:
    """Return 1 for a symmetric factor, −1 for an antisymmetric one, else 0."""
    if factor.ndim == 1 or bool((factor == factor.T).all()):
        return 1
    return -1 if bool((factor == -factor.T).all()) else 0


def act(G: Tensor, left: Tensor | None, right: Tensor | None) -> Tensor:
    """Return left @ W @ right for every W of a stack.

    Args:
        G: stack of parameters, shape (n, *shape).
        left: None, vector or matrix, on axis 1 of the stack.
        right: likewise on axis 2, from the right.

    Returns:
        The shape of G; G itself where both are None.
    """
    if left is not None:
        left = left.to(G)
        if left.ndim == 1:
            G = G * left.view(-1, *[1] * (G.ndim - 2))
        else:
            G = (left @ G.flatten(2)).view(G.shape) if G.ndim > 2 else G @ left.T
    if right is not None:
        right = right.to(G)
        if right.ndim == 1:
            G = G * right.view(-1, *[1] * (G.ndim - 3))
        elif G.ndim == 3:
            G = G @ right
        else:
            G = (right.T @ G.flatten(3)).view(G.shape)
    return G


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """A generator J(θ) = Aθ + b of a symmetry, block by block (P1, Definition 1).

    J(W) is the sum of the actions on W, plus the shift of W. Parameters that are not
    named stay fixed. The charge C = ½θᵀAθ + b·θ exists only where A is symmetric; the
    trace Tr[ΣA] sees the symmetric part of A alone.

    Attributes:
        actions: parameter name → an action, or a tuple of them that are added.
        shift: parameter name → b, in the parameter's shape.

    Raises:
        TypeError: for a value that is no action and no tuple of them.

    >>> import torch
    >>> generator = Generator({"u": Action(1.0), "w": Action(-1.0)})
    >>> theta = {"u": torch.tensor([2.0]), "w": torch.tensor([1.0])}
    >>> generator.charge(theta)
    1.5
    >>> {k: v.tolist() for k, v in generator.apply(theta).items()}
    {'u': [2.0], 'w': [-1.0]}
    """

    actions: Mapping[str, Action | tuple[Action, ...]]
    shift: Mapping[str, Tensor] | None = None
    blocks: Mapping[str, tuple[Action, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        blocks = {name: _tuple(name, value) for name, value in self.actions.items()}
        object.__setattr__(self, "blocks", MappingProxyType(blocks))
        object.__setattr__(self, "actions", MappingProxyType(dict(self.actions)))
        shift = {} if self.shift is None else dict(self.shift)
        for name, b in shift.items():
            _check_shift(name, b)
        object.__setattr__(self, "shift", MappingProxyType(shift))

    @property
    def offsets(self) -> Mapping[str, Tensor]:
        """The shift b, empty where there is none."""
        return self.shift or {}

    def check(self, named: Mapping[str, Tensor]) -> None:
        """Refuse parameters that the generator does not fit.

        Args:
            named: parameter name → tensor.

        Raises:
            KeyError: for a name that is not there.
            ShapeError: for a shape that does not fit.
        """
        for name in [*self.blocks, *self.offsets]:
            if name not in named:
                raise KeyError(
                    f"generator: no parameter named {name!r}; there are "
                    f"{', '.join(named) or 'none'}"
                )
        for name, block in self.blocks.items():
            for action in block:
                action.check(repr(name), named[name].shape)
        for name, b in self.offsets.items():
            if b.shape != named[name].shape:
                raise ShapeError(
                    f"shift of {name!r}: expected shape {tuple(named[name].shape)}, "
                    f"got {tuple(b.shape)}"
                )

    def apply(self, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return J(θ) of the parameters it moves.

        Args:
            named: parameter name → tensor; further names are ignored.

        Returns:
            Name → J, in the parameter's shape, dtype and device.
        """
        self.check(named)
        return {name: self._velocity(name, named[name]) for name in self._moving()}

    def moved(self, named: Mapping[str, Tensor], lam: float) -> dict[str, Tensor]:
        """Return θ_λ, the flow of dθ/dλ = J(θ), which is e^{λA}θ without a shift.

        Computed in float64: where A only scales, by the exponential itself; where each
        action has one factor, by the exponentials of two matrices; else by a Taylor
        series over steps of norm at most 1, as many as λ‖A‖, so that the relative
        error stays at rounding times their number.

        Args:
            named: parameter name → tensor; further names are ignored.
            lam: the parameter λ of the orbit.

        Returns:
            Name → θ_λ, in the parameter's shape, dtype and device.

        Raises:
            ValueError: where λ is not finite.
        """
        self.check(named)
        if not math.isfinite(lam):
            raise ValueError(f"lam: expected a finite number, got {lam}")
        return {name: self._flow(name, named[name], lam) for name in self._moving()}

    def charge(self, named: Mapping[str, Tensor]) -> float | None:
        """Return C = ½θᵀAθ + b·θ, or None where A is not symmetric (no charge).

        Args:
            named: parameter name → tensor; further names are ignored.

        Returns:
            A Python number; sums are taken in float64.
        """
        self.check(named)
        return self.charge_of(named)

    @torch.no_grad()
    def charge_of(self, named: Mapping[str, Tensor]) -> float | None:
        """Return the charge of parameters that were checked."""
        if not self.symmetric:
            return None
        total = 0.0
        scaled: dict[tuple[float, torch.device], list[Tensor]] = {}
        for name, block in self.blocks.items():
            W = named[name]
            scales = [a.scale for a in block if a.left is a.right is None]
            if scales:
                scaled.setdefault((math.fsum(scales), W.device), []).append(W)
            rest = tuple(a for a in block if a.left is not None or a.right is not None)
            if rest:
                total += 0.5 * float((W.double() * _sum_of(rest, W.double())).sum())
        for (scale, _), tensors in scaled.items():
            total += 0.5 * scale * _squared_norm(tensors)
        for name, b in self.offsets.items():
            W = named[name].double()
            total += float((b.detach().to(W) * W).sum())
        return total

    @property
    def symmetric(self) -> bool:
        """Whether A is symmetric: by equal bits where that decides."""
        return all(_symmetric(block) for block in self.blocks.values())

    def _moving(self) -> list[str]:
        return list(dict.fromkeys([*self.blocks, *self.offsets]))

    def _velocity(self, name: str, W: Tensor) -> Tensor:
        out = _sum_of(self.blocks.get(name, ()), W.detach())
        b = self.offsets.get(name)
        return out if b is None else out + b.to(out)

    def _flow(self, name: str, W: Tensor, lam: float) -> Tensor:
        block, b = self.blocks.get(name, ()), self.offsets.get(name)
        theta = W.detach().double()
        if b is None and all(a.left is a.right is None for a in block):
            rate = math.fsum(a.scale for a in block)
            return (theta * math.exp(lam * rate)).to(W)
        if b is None and theta.ndim in {1, 2} and not any(map(_both_sided, block)):
            return _exponentials(block, theta, lam).to(W)
        steps = max(1, math.ceil(abs(lam) * sum(_norm(a) for a in block)))
        for _ in range(steps):
            term = _sum_of(block, theta) + (0.0 if b is None else b.to(theta))
            for k in range(1, _TAYLOR):
                term = term * (lam / steps / k)
                theta = theta + term
                if not bool(term.abs().max() > 0):
                    break
                term = _sum_of(block, term)
        return theta.to(W)


def _tuple(name: str, value: Action | tuple[Action, ...]) -> tuple[Action, ...]:
    block = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(action, Action) for action in block):
        raise TypeError(
            f"{name!r}: expected an Action or a tuple of them, got {value!r}"
        )
    return block


def _sum_of(block: tuple[Action, ...], W: Tensor) -> Tensor:
    total = torch.zeros_like(W)
    for action in block:
        total = total + action.apply(W)
    return total


def _both_sided(action: Action) -> bool:
    return action.left is not None and action.right is not None


def _exponentials(block: tuple[Action, ...], W: Tensor, lam: float) -> Tensor:
    """Return e^{λA}W of actions on one side each, as one factor on either side."""
    matrix = W if W.ndim == 2 else W.unsqueeze(1)
    for side, size in enumerate(matrix.shape):
        total = torch.zeros(size, size, dtype=W.dtype, device=W.device)
        unit = torch.eye(size, dtype=W.dtype, device=W.device)
        for action in block:
            if (action.right is not None) == bool(side):
                total = total + action.apply(unit)
        power = torch.linalg.matrix_exp(lam * total)
        matrix = matrix @ power if side else power @ matrix
    return matrix.reshape(W.shape)


def _norm(action: Action) -> float:
    """Bound the operator norm: |scale| ‖L‖ ‖R‖ in the Frobenius norm or better."""
    size = abs(action.scale)
    for factor in (action.left, action.right):
        if factor is not None and factor.numel():
            wide = factor.double()
            worst = wide.abs().max() if wide.ndim == 1 else torch.linalg.norm(wide)
            size *= float(worst)
    return size


def _squared_norm(tensors: list[Tensor]) -> float:
    """Return Σ‖W‖²: norms of rows in W's own precision at least, summed in float64."""
    total, sizes = 0.0, []
    for W in tensors:
        found = square_sum(W)
        if found is not None:
            total += found
            continue
        wide = W if W.dtype.itemsize > 2 else W.float()
        rows = wide.flatten(1) if W.ndim > 1 else wide.reshape(1, -1)
        sizes.append(torch.linalg.vector_norm(rows, dim=1))
    if not sizes:
        return total
    both = torch.cat(sizes).double()
    return total + float(torch.dot(both, both))


def _symmetric(block: tuple[Action, ...]) -> bool:
    """Decide whether a sum of actions is symmetric."""
    rest = [action for action in block if not action.symmetric]
    if not rest:
        return True
    if len(rest) == 1:
        return False
    # ‖Σ s(L⊗R − Lᵀ⊗Rᵀ)‖² by the inner products of the factors.
    pairs = [(a.scale, a.left, a.right) for a in rest]
    pairs += [(-a.scale, _t(a.left), _t(a.right)) for a in rest]
    sizes = tuple(
        next((f.shape[0] for _, *p in pairs if (f := p[k]) is not None), 1)
        for k in (0, 1)
    )
    inner = [
        s * z * _dot(L, M, sizes[0]) * _dot(R, Q, sizes[1])
        for s, L, R in pairs
        for z, M, Q in pairs
    ]
    return abs(math.fsum(inner)) <= _ASYMMETRY * math.fsum(abs(x) for x in inner)


def _t(factor: Tensor | None) -> Tensor | None:
    return factor if factor is None or factor.ndim == 1 else factor.T


def _dot(a: Tensor | None, b: Tensor | None, size: int) -> float:
    """Return the Frobenius inner product; None is the identity."""
    full = [_dense(f, size) for f in (a, b)]
    return float((full[0] * full[1].to(full[0].device)).sum())


def _dense(factor: Tensor | None, size: int) -> Tensor:
    if factor is None:
        return torch.eye(size, dtype=torch.float64)
    return (torch.diag(factor) if factor.ndim == 1 else factor).double()
