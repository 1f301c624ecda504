"""The toolkit's look at itself, for the report: `audit`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from verify._calibration import Calibration, calibration
from verify._jobs import in_processes, one_thread
from verify._vacuity import Vacuity, vacuity


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found of the statistics and of the strategies.

    Attributes:
        calibration: rates of false alarms and of detections, against what is promised.
        vacuity: the share of instances that say nothing, strategy by strategy.
    """

    calibration: Calibration
    vacuity: tuple[Vacuity, ...]


def audit(
    *,
    seed: int = 0,
    profile: str = "quick",
    jobs: int = 1,
    meanwhile: Callable[[], object] | None = None,
) -> Audit:
    """Run the statistics on true and on false claims, and look at what is drawn.

    Args:
        seed: the seed of every random stream.
        profile: "quick", "standard" or "deep": how many repetitions.
        jobs: processes to use, at most two; the results do not depend on it.
        meanwhile: what this process may do while another works; not called with one.

    Returns:
        Both, the same for the same seed and profile.

    Raises:
        ValueError: for an unknown profile.
        WorkerError: where a process of several was killed.
    """
    work = partial(_part, seed=seed, profile=profile)
    if jobs > 1:
        parts = in_processes(work, _PARTS, 2, lambda _part: None, meanwhile, last=True)
    else:
        parts = [part for name in _PARTS for part in work(name)]
    found = [part for part in parts if isinstance(part, Calibration)]
    rows = [part for part in parts if not isinstance(part, Calibration)]
    return Audit(found[0], rows[0])


_PARTS = (("vacuity",), ("calibration",))


def _part(
    names: tuple[str, ...], *, seed: int, profile: str
) -> list[Calibration | tuple[Vacuity, ...]]:
    """Return one half, in a process of its own."""
    with one_thread():
        if names == ("calibration",):
            return [calibration(seed=seed, profile=profile)]
        return [vacuity(seed=seed, profile=profile)]
