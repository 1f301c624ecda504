"""The claims, in the order of the papers.

One statement, or a published one with its correction, a file.
"""

from verify._claim import Claim
from verify._claims import (
    _own_discrete,
    _p1_eq4,
    _p1_eq5,
    _p1_eq6,
    _p1_eq7,
    _p1_orbit,
    _p1_thm1_1,
    _p1_thm1_2,
    _p1_thm1_3,
)


CLAIMS: tuple[Claim, ...] = (
    *_p1_eq4.CLAIMS,
    *_p1_eq5.CLAIMS,
    *_p1_eq6.CLAIMS,
    *_p1_eq7.CLAIMS,
    *_p1_orbit.CLAIMS,
    *_p1_thm1_1.CLAIMS,
    *_p1_thm1_2.CLAIMS,
    *_p1_thm1_3.CLAIMS,
    *_own_discrete.CLAIMS,
)
