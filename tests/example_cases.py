"""The examples worked out by hand, in torch: losses, charges, fields without one.

Every function takes named parameters and constants; a loss also takes one sample.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch.nn.functional import softplus


Tensor = torch.Tensor
Named = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Case:
    """What a theorist knows of an example without the toolkit.

    Attributes:
        loss: ℓ(θ, z) of one sample.
        charge: C(θ), None where J is no gradient field.
        field: J(θ) by name, where there is no charge.
        conserved: F with ∇F a multiple of J, where there is no charge but such an F.
        positive: whether the parameters have to be.
        kind: the kind of symmetry.
    """

    loss: Callable[[Named, Named], Tensor]
    charge: Callable[[Named], Tensor] | None
    kind: str = "exponential"
    field: Callable[[Named], dict[str, Tensor]] | None = None
    conserved: Callable[[Named], Tensor] | None = None
    positive: bool = False


def _square(v: Tensor) -> Tensor:
    return (v * v).sum()


def _pair(U: Tensor, W: Tensor, B: Tensor) -> Tensor:
    """Return half of Tr[(UᵀU − WWᵀ)B]."""
    return ((U.T @ U - W @ W.T) * B).sum() / 2


def _attention(t: Named, z: Named) -> Tensor:
    tokens = torch.stack([z["x1"], z["x2"]])
    scores = (tokens @ t["K"].T) @ (t["Q"] @ z["x2"])
    return _square(torch.softmax(scores, 0) @ tokens - z["y"])


def _classifier(t: Named, z: Named) -> Tensor:
    logits = torch.stack([t[name] @ z["x"] for name in ("w1", "w2", "w3")])
    target = torch.stack([z["y1"], z["y2"], 1 - z["y1"] - z["y2"]])
    return -(target * torch.log_softmax(logits, 0)).sum()


def _residual(t: Named, z: Named) -> Tensor:
    one = torch.eye(len(z["x"]), dtype=torch.float64)
    return _square((one + t["U"]) @ (one + t["W"]) @ z["x"] - z["y"])


def _residual_charge(t: Named) -> Tensor:
    """Return the charge of the layers 1 + U and 1 + W."""
    one = torch.eye(len(t["U"]), dtype=torch.float64)
    return _pair(one + t["U"], one + t["W"], t["B"])


def _cubic(t: Named, z: Named) -> Tensor:
    units = (t[f"v{i}"] * (t[f"u{i}"] @ z["x"]) ** 3 for i in (1, 2))
    return (sum(units, -z["y"])) ** 2


def _diagonal(t: Named, z: Named) -> Tensor:
    weights = ((t[f"u{i}"] - t[f"v{i}"]) * (t[f"u{i}"] + t[f"v{i}"]) for i in (1, 2))
    inputs = (z["x1"], z["x2"])
    found = sum((w * x for w, x in zip(weights, inputs, strict=True)), -z["y"])
    return found**2


def _sensing(t: Named, z: Named) -> Tensor:
    measured = t["U"] @ t["U"].T - t["V"] @ t["V"].T
    return ((z["X"].T * measured).sum() - z["y"]) ** 2


CASES: dict[str, Case] = {
    "rescaling": Case(
        lambda t, z: _square(t["U"] @ torch.relu(t["W"] @ z["x"]) - z["y"]),
        lambda t: (_square(t["U"]) - _square(t["W"])) / 2,
    ),
    "scaling": Case(
        lambda t, z: (t["w"] @ z["x"] / t["w"].norm() - z["y"]) ** 2,
        lambda t: _square(t["w"]) / 2,
    ),
    "attention_qk": Case(_attention, lambda t: _pair(t["Q"].T, t["K"], t["B"])),
    "attention_vo": Case(
        lambda t, z: softplus(-(z["c"] @ (t["O"] @ (t["V"] @ z["z"])))),
        lambda t: _pair(t["O"], t["V"], t["B"]),
    ),
    "double_rotation": Case(
        lambda t, z: _square(t["U"] @ (t["W"] @ z["x"]) - z["y"]),
        lambda t: _pair(t["U"], t["W"], t["B"]),
    ),
    "low_rank": Case(
        lambda t, z: _square(torch.tanh((t["W0"] + t["U"] @ t["V"]) @ z["x"]) - z["y"]),
        lambda t: _pair(t["U"], t["V"], t["B"]),
    ),
    "polynomial_net": Case(_cubic, lambda t: _square(t["u1"]) / 2 - 1.5 * t["v1"] ** 2),
    "softmax_shift": Case(
        _classifier, lambda t: t["a"] @ (t["w1"] + t["w2"] + t["w3"]), "affine"
    ),
    "residual_affine": Case(_residual, _residual_charge, "affine"),
    "hyperbolic_rotation": Case(_diagonal, lambda t: t["u1"] * t["v1"]),
    "nonlinear": Case(
        lambda t, z: (z["x"] / (1 / t["u"] + 1 / t["v"]) - z["y"]) ** 2,
        lambda t: (t["u"] ** 3 - t["v"] ** 3) / 3,
        "nonlinear",
        positive=True,
    ),
    "matrix_sensing": Case(_sensing, lambda t: ((t["U"].T @ t["V"]) * t["B"]).sum()),
    "log_scale": Case(
        lambda t, z: softplus(-z["y"] * torch.exp(t["s"]) * (t["w"] @ z["x"])),
        lambda t: _square(t["w"]) / 2 - t["s"],
        "affine",
    ),
    "embedding_rotation": Case(
        lambda t, z: ((t["W"] @ z["x1"]) @ (t["W"] @ z["x2"]) - z["y"]) ** 2,
        None,
        "linear",
        field=lambda t: {"W": t["B"] @ t["W"] - t["B"].T @ t["W"]},
    ),
    "plane_rotation": Case(
        lambda t, z: ((t["u"] ** 2 + t["v"] ** 2) * z["x"] - z["y"]) ** 2,
        None,
        "linear",
        field=lambda t: {"u": -t["v"], "v": t["u"]},
        conserved=lambda t: torch.atan2(t["v"], t["u"]),
        positive=True,
    ),
}
