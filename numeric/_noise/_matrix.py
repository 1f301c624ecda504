"""`noise_matrix`: Tr[ΣA_B] of two linear layers for every B at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from numeric._errors import ShapeError
from numeric._noise._builders import linear_pair
from numeric._noise._data import Data
from numeric._noise._fallback import Loss
from numeric._noise._forms import Form
from numeric._noise._survey import survey
from numeric._noise._trace import canonical_names, method_of


@dataclass(frozen=True, slots=True, eq=False)
class NoiseMatrix:
    """The noise along every generator J = (UB, −BW) of two linear layers.

    Attributes:
        matrix: M with Tr[ΣA_B] = ⟨B, M⟩ for every B, shape (d, d), float64, symmetric.
        method: as in `NoiseTrace`.
        samples: how many samples were seen.
    """

    matrix: Tensor
    method: str
    samples: int

    def trace(self, B: Tensor) -> float:
        """Return Tr[ΣA_B] = ⟨B, M⟩.

        Args:
            B: shape (d, d).

        Returns:
            A Python float.

        Raises:
            ShapeError: where B does not fit.
        """
        if B.shape != self.matrix.shape:
            raise ShapeError(
                f"B: expected shape {tuple(self.matrix.shape)}, got {tuple(B.shape)}"
            )
        return float((B.to(self.matrix) * self.matrix).sum())


def noise_matrix(
    model: nn.Module,
    loss: Loss,
    data: Data,
    first: str,
    second: str,
    *,
    batch_size: int | None = None,
) -> NoiseMatrix:
    """Return M with Tr[ΣA_B] = ⟨B, M⟩ for the symmetry U(Wx + b) (P1, Eq. (12)).

    With g the per-sample gradients and the covariance over the data,
    M = E[g_Uᵀg_U] − E[g_W g_Wᵀ] − E[g_b g_bᵀ], all centred. The noise is in balance
    along every B where M vanishes (P1, Theorem 2).

    Args:
        model: holds both layers; left as it was.
        loss: (output, target) → the **sum** of the losses over the batch.
        data: a tuple (inputs, targets), or an iterable of such pairs.
        first: name of the linear layer W applied first; its bias is included.
        second: name of the linear layer U.
        batch_size: the largest batch.

    Returns:
        The matrix.

    Raises:
        ShapeError: where a layer is not linear or they do not fit each other; the
            ValueErrors of `noise_trace` for samples, loss and data.

    >>> model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    >>> for weight, value in zip(model.parameters(), (1.0, 2.0)):
    ...     _ = nn.init.constant_(weight, value)
    >>> data = torch.tensor([[1.0], [1.0]]), torch.tensor([[1.0], [3.0]])
    >>> loss = lambda output, target: ((output - target) ** 2).sum()
    >>> noise_matrix(model, loss, data, "0", "1").trace(torch.eye(1))
    -12.0
    """
    W, U = linear_pair(model, first, second)
    there = dict(model.named_parameters(remove_duplicate=False))
    names = canonical_names(there)
    axes = {names[f"{second}.weight"]: 1, names[f"{first}.weight"]: 0}
    signs = dict(zip(axes, (1.0, -1.0), strict=True))
    if W.bias is not None:
        axes[names[f"{first}.bias"]], signs[names[f"{first}.bias"]] = 0, -1.0
    if W.weight is U.weight:
        raise ShapeError(
            f"expected two layers, but {first!r} and {second!r} share one weight"
        )
    forms = {name: [Form()] for name in axes}
    named = {name: there[name] for name in axes}
    found = survey(model, loss, data, named, forms, batch_size=batch_size, axes=axes)
    d = W.weight.shape[0]
    total = torch.zeros(d, d, dtype=torch.float64, device=W.weight.device)
    samples = 0
    for name, sign in signs.items():
        held = found.moments[name]
        assert held.matrix is not None
        total += held.matrix * (sign / held.N)
        samples = held.N
    return NoiseMatrix((total + total.T) / 2, method_of(list(axes), found), samples)
