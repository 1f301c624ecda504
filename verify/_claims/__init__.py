"""The claims, in the order of the papers.

One statement, or a published one with its correction, a file.
"""

from verify._claim import Claim
from verify._claims import (
    _own_charge,
    _own_discrete,
    _own_flow,
    _own_orthogonal,
    _own_step,
    _own_variational,
    _p1_eq4,
    _p1_eq5,
    _p1_eq6,
    _p1_eq7,
    _p1_eq9,
    _p1_eq10,
    _p1_eq11,
    _p1_orbit,
    _p1_prop1,
    _p1_prop2,
    _p1_thm1_1,
    _p1_thm1_2,
    _p1_thm1_3,
    _p1_thm1_4,
    _p1_thm2,
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
    *_p1_thm1_4.CLAIMS,
    *_p1_eq9.CLAIMS,
    *_p1_eq10.CLAIMS,
    *_p1_eq11.CLAIMS,
    *_p1_prop1.CLAIMS,
    *_p1_thm2.CLAIMS,
    *_p1_prop2.CLAIMS,
    *_own_discrete.CLAIMS,
    *_own_variational.CLAIMS,
    *_own_orthogonal.CLAIMS,
    *_own_charge.CLAIMS,
    *_own_flow.CLAIMS,
    *_own_step.CLAIMS,
)
