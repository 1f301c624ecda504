"""What the digits experiment records: exact laws, trajectories, equilibria."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ExactLaw:
    """C' = (1-2ηγ)²C + ½η²gᵀAg at every step and for every neuron.

    Attributes:
        checks: steps × neurons checked.
        trivial: those of them with g = 0 on the neuron's block.
        worst: largest residual in units of the derived rounding tolerance.
        worst_residual: largest residual.
        worst_without_noise: the same as `worst` for the law without ½η²gᵀAg.
        worst_doubled: the same for the law with twice that term.
        resolution: sum of the tolerances over the sum of |½η²gᵀAg|: a relative error of
            the noise term that would have been caught.
    """

    checks: int
    trivial: int
    worst: float
    worst_residual: float
    worst_without_noise: float
    worst_doubled: float
    resolution: float

    @property
    def holds(self) -> bool:
        """Whether every residual is within rounding, and there was one to check."""
        return self.checks > self.trivial and self.worst <= 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """A training run, at its measured steps.

    Attributes:
        steps: the measured steps, shape (k,).
        time: lr × steps, shape (k,).
        loss: training loss, shape (k,).
        accuracy: training accuracy, shape (k,).
        noise: Tr Σ over all parameters, shape (k,).
        charges: C_j, shape (k, neurons).
        drift: E[ΔC_j | θ] of one step at the run's own batch size, (k, neurons).
        trace: Tr[ΣA_j], shape (k, neurons).
        lam: λ* of each neuron, shape (k, neurons); NaN where it does not exist.
        gap: C_j(θ_λ*) - C_j(θ), shape (k, neurons); NaN likewise.
        law: the exact law along the whole run.
    """

    steps: NDArray[np.intp]
    time: Array
    loss: Array
    accuracy: Array
    noise: Array
    charges: Array
    drift: Array
    trace: Array
    lam: Array
    gap: Array
    law: ExactLaw

    @property
    def dead(self) -> NDArray[np.intp]:
        """Neurons without a finite λ* (for γ = 0: off on every sample), shape (k,)."""
        return np.asarray(np.isnan(self.lam).sum(axis=1), dtype=np.intp)

    @property
    def imbalance(self) -> Array:
        """Σ_j |C_j|, shape (k,)."""
        return np.asarray(np.abs(self.charges).sum(axis=1))

    @property
    def predicted(self) -> Array:
        """C(0) plus the drift summed over steps, shape (k, neurons).

        Between measured steps the drift is interpolated linearly.
        """
        widths = np.diff(self.steps)[:, None]
        pieces = 0.5 * widths * (self.drift[1:] + self.drift[:-1])
        moved = np.cumsum(np.vstack([np.zeros_like(self.drift[:1]), pieces]), axis=0)
        return np.asarray(self.charges[0] + moved)

    @property
    def rate(self) -> Array:
        """Σ_j |Tr[ΣA_j]|, the flow's rate but for σ², shape (k,)."""
        return np.asarray(np.abs(self.trace).sum(axis=1))

    @property
    def steps_to_balance(self) -> Array:
        """Σ|gap| over Σ|drift|: steps to balance at the present speed, shape (k,)."""
        speed = np.abs(np.where(np.isnan(self.lam), 0.0, self.drift)).sum(axis=1)
        return np.asarray(np.nansum(np.abs(self.gap), axis=1) / speed)

    def quantile(self, share: float) -> Array:
        """Return a quantile of |λ*| over the live neurons.

        Args:
            share: the quantile's share, between 0 and 1.

        Returns:
            One value per measured step, shape (k,).
        """
        return np.asarray(np.nanquantile(np.abs(self.lam), share, axis=1))


@dataclass(frozen=True, slots=True)
class BalancePoint:
    """λ* of one neuron by the closed form and by an optimiser.

    Attributes:
        step: step of the run.
        gamma: γ of the run.
        neuron: number of the neuron.
        closed: ¼ ln((σ²s₊ + 2γt₋)/(σ²s₋ + 2γt₊)).
        optimised: minimiser of γ‖θ_λ‖² + (η/4S) Tr Σ(θ_λ), Σ from passes at θ_λ.
        tolerance: derived accuracy of the minimiser.
    """

    step: int
    gamma: float
    neuron: int
    closed: float
    optimised: float
    tolerance: float

    @property
    def resolved(self) -> bool:
        """Whether the tolerance is at most 0.05, five per cent in the scale ρ."""
        return self.tolerance <= 0.05

    @property
    def error(self) -> float:
        """The difference in units of the tolerance."""
        return abs(self.closed - self.optimised) / self.tolerance
