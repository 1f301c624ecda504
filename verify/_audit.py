"""The toolkit's look at itself, for the report: `audit`."""

from __future__ import annotations

from dataclasses import dataclass

from verify._calibration import Calibration, calibration
from verify._jobs import one_thread
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


def audit(*, seed: int = 0, profile: str = "quick") -> Audit:
    """Run the statistics on true and on false claims, and look at what is drawn.

    Args:
        seed: the seed of every random stream.
        profile: "quick", "standard" or "deep": how many repetitions.

    Returns:
        Both, the same for the same seed and profile.

    Raises:
        ValueError: for an unknown profile.
    """
    with one_thread():
        return Audit(
            calibration(seed=seed, profile=profile),
            vacuity(seed=seed, profile=profile),
        )
