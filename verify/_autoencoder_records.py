"""What the autoencoder experiment records: exact laws, both sides, descents."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numeric import noise_equilibrium
from verify._digits_records import ExactLaw


Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MatrixLaw:
    """Q' = κ²Q + η²(g_Uᵀg_U − g_Wg_Wᵀ), entry by entry: every symmetric B at once.

    Attributes:
        exact: the residuals; a check is one entry on or above the diagonal.
        identity: largest entry of Uᵀg_U − g_WWᵀ, zero by Noether's identity, in units
            of its own rounding bound.
        signal: largest |η²(g_Uᵀg_U − g_Wg_Wᵀ)| in units of the same bound.
    """

    exact: ExactLaw
    identity: float
    signal: float

    @property
    def holds(self) -> bool:
        """Whether law and identity hold within rounding, not vacuously."""
        return self.exact.holds and self.identity <= 1.0

    def claimed(self, factor: float) -> float:
        """Return how badly the law with `factor` times its noise term fails.

        Args:
            factor: c in Q' = κ²Q + c·η²(g_Uᵀg_U − g_Wg_Wᵀ).

        Returns:
            The largest residual in units of the rounding bound: exactly for 1, 0 and
            2, and else the lower bound |1 − c|·signal − worst.
        """
        known = {
            1.0: self.exact.worst,
            0.0: self.exact.worst_without_noise,
            2.0: self.exact.worst_doubled,
        }
        bound = abs(1.0 - factor) * self.signal - self.exact.worst
        return known.get(factor, bound)


@dataclass(frozen=True, slots=True, eq=False)
class Sides:
    """Theorem 2's two sides, on the space of the hidden units.

    The noise of the U-gradients, WΓ_WWᵀ, pushes UᵀU − WWᵀ up, that of the
    W-gradients, UᵀΓ_UU, pushes it down.

    Attributes:
        up: WΓ_WWᵀ, shape (d, d).
        down: UᵀΓ_UU, shape (d, d).

    >>> sides = Sides(np.diag([3.0, 1.0]), np.diag([1.0, 3.0]))
    >>> round(sides.imbalance, 3), round(sides.cosine, 3), sides.share
    (0.447, 0.6, 0.5)
    >>> Sides(np.eye(2), np.zeros((2, 2))).lam
    inf
    """

    up: Array
    down: Array

    @property
    def imbalance(self) -> float:
        """‖a − b‖/(‖a‖ + ‖b‖) in the Frobenius norm: 0 at balance, 1 at most."""
        total = np.linalg.norm(self.up) + np.linalg.norm(self.down)
        return float(np.linalg.norm(self.up - self.down) / total)

    @property
    def cosine(self) -> float:
        """The cosine between both sides as vectors; 1 where they are aligned."""
        sizes = np.linalg.norm(self.up) * np.linalg.norm(self.down)
        return float((self.up * self.down).sum() / sizes)

    @property
    def share(self) -> float:
        """The share of the noise that acts on U: Tr a/(Tr a + Tr b)."""
        up, down = float(np.trace(self.up)), float(np.trace(self.down))
        return up / (up + down)

    @property
    def lam(self) -> float:
        """λ* of B = I (Theorem 1, γ = 0): ¼ ln(Tr a/Tr b), ±∞ for a missing side.

        The factor σ² does not matter, nor does the factor 4 in both sides.
        """
        traces = [float(np.trace(self.up)), float(np.trace(self.down))]
        at = noise_equilibrium([1, -1], traces, [0, 0], sigma2=1.0, gamma=0.0)
        return float(at)


@dataclass(frozen=True, slots=True, eq=False)
class Trajectory:
    """A training run, at its measured steps.

    Attributes:
        steps: the measured steps, shape (k,).
        time: the learning rates of the steps before, summed, shape (k,).
        rate: learning rate of the step that follows, shape (k,).
        loss: mean of ‖UWx − y‖², shape (k,).
        charge: Tr[UᵀU − WWᵀ], twice the charge of B = I, shape (k,).
        centred: both sides with the centred Γ⁰, shape (k, 2, d, d).
        second: both sides with the second moments, Γ⁰ + MᵀM and Γ⁰ + MMᵀ, likewise.
        law: the exact law along the whole run.
    """

    steps: NDArray[np.intp]
    time: Array
    rate: Array
    loss: Array
    charge: Array
    centred: Array
    second: Array
    law: MatrixLaw

    def mean(self, start: float, stop: float, *, centred: bool) -> Sides:
        """Return both sides averaged over the measured steps of a stretch of time.

        Args:
            start: beginning of the stretch, included.
            stop: end of it, included.
            centred: whether Γ is centred.

        Returns:
            The mean of each side.

        Raises:
            ValueError: where no step within it was measured.
        """
        inside = (self.time >= start) & (self.time <= stop)
        if not inside.any():
            raise ValueError(
                f"expected a stretch within [0, {self.time[-1]:g}] with a measured "
                f"step, got [{start:g}, {stop:g}]: measure more often"
            )
        up, down = (self.centred if centred else self.second)[inside].mean(axis=0)
        return Sides(up, down)

    def blocks(self, count: int, *, centred: bool = False) -> tuple[Array, list[Sides]]:
        """Return the averages over `count` stretches with the same number of points.

        Args:
            count: how many stretches.
            centred: whether Γ is centred.

        Returns:
            The mean time of each, shape (count,), and both sides.
        """
        values = self.centred if centred else self.second
        parts = np.array_split(np.arange(len(self.time)), count)
        means = [values[part].mean(axis=0) for part in parts]
        times = np.array([self.time[part].mean() for part in parts])
        return times, [Sides(up, down) for up, down in means]

    def tail(self, *, centred: bool = False) -> Sides:
        """Return both sides averaged over the last quarter of the time.

        Args:
            centred: whether Γ is centred.

        Returns:
            The mean of each side.
        """
        end = float(self.time[-1])
        return self.mean(0.75 * end, end, centred=centred)


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """From the end of a run to a minimum: least squares in W and in U in turn.

    Attributes:
        sweeps: numbers of the recorded sweeps, shape (k,).
        lam: λ* of B = I after the U-half of each, shape (k,).
        excess: loss above that of the last sweep, shape (k,).
        predicted_slope: λ* gained per sweep at last if y = x: ½ ln(κ_d/κ_{d+1}) with
            the eigenvalues κ of E[xxᵀ], for the sweeps are an orthogonal iteration.
        largest: largest |Uᵀr| over samples and hidden units after a last W-half.
        rounding: bound on it where Uᵀr = 0 in exact arithmetic.
        lam_there: λ* after that W-half; +∞ where `largest` is within `rounding`.
    """

    sweeps: NDArray[np.intp]
    lam: Array
    excess: Array
    predicted_slope: float
    largest: float
    rounding: float
    lam_there: float

    @property
    def one_sided(self) -> bool:
        """Whether no noise is left in the W-gradients at the minimum: λ* = +∞."""
        return self.largest <= self.rounding

    @property
    def last_growth(self) -> float:
        """How far λ* moved over the second half of the sweeps."""
        middle = int(np.searchsorted(self.sweeps, self.sweeps[-1] // 2))
        return float(self.lam[-1] - self.lam[middle])

    @property
    def slope(self) -> float:
        """λ* gained per sweep over the second half of the sweeps."""
        middle = int(np.searchsorted(self.sweeps, self.sweeps[-1] // 2))
        width = int(self.sweeps[-1] - self.sweeps[middle])
        return self.last_growth / width if width else math.nan

    @property
    def unbounded(self) -> bool:
        """Whether λ* gains as much a sweep as predicted, to a tenth: it never settles.

        The sweep numbers double, so this is growth in proportion to their number; the
        next eigenvalue's part has died out by then.
        """
        return abs(self.slope - self.predicted_slope) <= 0.1 * self.predicted_slope
