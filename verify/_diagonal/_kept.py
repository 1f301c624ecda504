"""Is the density kept? Replicas drawn from it, moved by the SDE of all weights.

A law is stationary if it is kept for any one time. Started at the law itself, replicas
need not forget a start, which close to the critical temperature takes for ever; so
this goes for any temperature below it, and many settings.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import hypothesis.strategies as st
import numpy as np
from numpy.typing import NDArray

from numeric import StationaryDensity
from verify._context import Context
from verify._diagonal._sde import State, joined, lanes, many_factors, run, two_factors
from verify._diagonal._settings import Setting, settings


Array = NDArray[np.float64]
_SETTINGS = 54  # at most; 18 in the quick profile
_FINENESS = {2: 1.0, 3: 1.0, 4: 1.5}  # of the steps, per number of factors
_SHARES = tuple(Fraction(k, 20) for k in (1, 2, 4, 6, 8, 10, 12, 14, 16, 18))
_TIME = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Replicas of one setting, from the law claimed.

    Attributes:
        setting: the setting.
        law: the law claimed.
        ranks: F(v) of the replicas after a time, uniform if the law is kept.
    """

    setting: Setting
    law: StationaryDensity
    ranks: Array


@st.composite
def _warm(draw: st.DrawFn, factors: int) -> Setting:
    """Draw a setting at any temperature."""
    found = draw(settings((factors,)))
    return replace(found, share=draw(st.sampled_from(_SHARES)))


def kept(plain: Context, factor: float) -> tuple[Kept, ...]:
    """Draw settings, start at the law claimed, and move.

    Args:
        plain: a context of the experiment's own.
        factor: of the temperature in the law claimed.

    Returns:
        The replicas of every setting for which the law claimed is a density.
    """
    replicas = max(512, 8 * plain.profile.replicas)
    count = min(_SETTINGS, 2 * plain.profile.ensembles**2)
    found: list[Kept] = []
    for N in _FINENESS:
        drawn = plain.draw(_warm(N), count // len(_FINENESS), f"kept {N}")
        # Weights of one shape move together; two factors, of any width, as two numbers.
        widths = {each.width for each in drawn} if N > 2 else {0}
        for width in sorted(widths):
            group = [each for each in drawn if N == 2 or each.width == width]
            found += _moved(group, factor, replicas, plain.rng("kept", N, width))
    return tuple(found)


def _moved(
    group: list[Setting], factor: float, replicas: int, rng: np.random.Generator
) -> list[Kept]:
    """Move all settings of a group together."""
    laws = [(each, each.law(factor)) for each in group]
    laws = [(each, law) for each, law in laws if not law.mass_at_zero]
    if not laws:
        return []
    starts = [_start(each, law, replicas, rng) for each, law in laws]
    if laws[0][0].factors == 2:
        parts = [two_factors(w[:, :, 0], w[:, :, 1]) for w in starts]
    else:
        parts = [many_factors(w) for w in starts]
    state = State(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("place", "sums", "steps")
        )
    )
    here = joined([lanes(s.moments, s.T, s.gamma, replicas) for s, _ in laws])
    times = np.repeat([_TIME * s.forgetting for s, _ in laws], replicas)
    end = run(state, here, times, rng, _FINENESS[laws[0][0].factors])
    v = end.value().reshape(len(laws), replicas)
    return [
        Kept(each, law, np.asarray(law.cdf(row)))
        for (each, law), row in zip(laws, v, strict=True)
    ]


def _start(
    setting: Setting, law: StationaryDensity, replicas: int, rng: np.random.Generator
) -> Array:
    """Return balanced weights whose sum of products is drawn from the law."""
    v = law.rvs(replicas, random_state=rng)
    size = np.abs(v / setting.width) ** (1 / setting.factors)
    shape = (replicas, setting.width, setting.factors)
    weights = np.broadcast_to(size[:, None, None], shape).copy()
    weights[:, :, 0] *= np.sign(v)[:, None]
    return weights
