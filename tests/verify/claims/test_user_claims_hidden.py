"""False claims that hold at the first size, the special points or the easy starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from symbolic import Declaration, load
from verify import ClaimResult
from verify._subject import variants
from verify._user_claims._run import verify_claims
from verify._user_claims._statement import UserClaim


SIZES = """
schema = 1
name = "symbolic sizes"
[dimensions]
d_x = "symbol"
d = "symbol"
d_y = "symbol"
[parameters]
U = ["d_y", "d"]
W = ["d", "d_x"]
[data]
x = ["d_x"]
y = ["d_y"]
[constants]
B = { shape = ["d", "d"], symmetric = true }
[symmetry]
generator = { U = "U*B", W = "-B*W" }
[loss]
expression = "norm2(U*W*x - y)"
"""
SCALAR = """
schema = 1
name = "scalar net"
[parameters]
u = []
w = []
[data]
x = []
y = []
[symmetry]
generator = { u = "u", w = "-w" }
[loss]
expression = "(u*w*x - y)**2"
"""


def declared(folder: Path, text: str) -> Declaration:
    path = folder / "declared.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def checked(declaration: Declaration, claim: UserClaim) -> ClaimResult:
    return verify_claims(declaration, [claim], profile="quick").claims[0]


# Sizes and constants that are symbols.


@pytest.mark.parametrize(
    ("left", "relation", "right"),
    [
        (
            "tr(W*W.T)**3 + 2*tr(W*W.T*W*W.T*W*W.T)",
            "==",
            "3*tr(W*W.T)*tr(W*W.T*W*W.T)",
        ),
        ("norm2_J", "<=", "4*norm2_theta"),
    ],
    ids=["cayley", "B"],
)
def test_what_holds_at_one_size_only_is_refuted(
    tmp_path: Path, left: str, relation: str, right: str
) -> None:
    claim = UserClaim("m.size", left, relation, right)

    result = checked(declared(tmp_path, SIZES), claim)

    assert result.verdict.name == "REFUTED"
    assert "d = " in result.evidence[0].summary


def test_what_holds_at_all_sizes_looked_at_is_not_proved(tmp_path: Path) -> None:
    claim = UserClaim("m.cyclic", "tr(U.T*U*W*W.T)", "==", "norm2(U*W)")

    result = checked(declared(tmp_path, SIZES), claim)

    assert result.verdict.name == "SUPPORTED"
    assert result.as_expected
    for evidence in result.evidence:
        assert "Other sizes and constants are not covered." in evidence.summary


def test_the_sizes_looked_at_differ(tmp_path: Path) -> None:
    found = variants(declared(tmp_path, SIZES))

    shapes = [tuple(shape for _, shape in each.space.items) for each in found]
    assert shapes == [
        ((2, 2), (2, 2)),
        ((3, 3), (3, 1)),
        ((1, 3), (3, 3)),
        ((1, 1), (1, 1)),
    ]
    concrete = declared(tmp_path, SCALAR)
    assert variants(concrete) == (concrete,)


# Conditions that are equalities.


@pytest.mark.parametrize(
    ("left", "right", "given"),
    [
        ("u*w", "0", "u**2 + w**2 == 1"),
        ("w", "0", "u**2 - w**2 == 1"),
        ("u*w*(u**2*w**2 - 144)", "0", "u**2 + w**2 == 25"),
        ("u**3 + w**3", "u + w", "norm2_theta == 1"),
    ],
)
def test_points_of_a_quadric_are_of_all_kinds(
    tmp_path: Path, left: str, right: str, given: str
) -> None:
    claim = UserClaim("m.quadric", left, "==", right, given=(given,))

    assert checked(declared(tmp_path, SCALAR), claim).verdict.name == "REFUTED"


def test_too_few_instances_support_nothing(tmp_path: Path) -> None:
    # Fermat: it has four rational points.
    claim = UserClaim("m.few", "u*w", "==", "0", given=("u**4 + w**4 == 1",))

    result = checked(declared(tmp_path, SCALAR), claim)

    assert result.verdict.name == "INCONCLUSIVE"
    assert "4 points" in result.evidence[0].summary


# Corners: identity matrices.


def test_an_identity_matrix_is_among_the_corners(tmp_path: Path) -> None:
    text = SIZES.replace('"symbol"', "2").replace(
        '[constants]\nB = { shape = ["d", "d"], symmetric = true }\n', ""
    )
    text = text.replace("U*B", "U").replace("-B*W", "-W")
    about = declared(tmp_path, text)
    minor = "U_0_0*U_1_1 - U_0_1*U_1_0"

    false = UserClaim("m.det", minor, "<=", "49/100*norm2(U)")
    doubled = UserClaim("m.am-gm", "tr(U*W)", "<=", "norm2(U)/4 + 24/25*norm2(W)")

    assert checked(about, false).verdict.name == "REFUTED"
    assert checked(about, doubled).verdict.name == "REFUTED"
    true = UserClaim("m.half", minor, "<=", "norm2(U)/2")
    assert checked(about, true).verdict.name in {"PROVED", "SUPPORTED"}


# Flows.

DATA = {"x": [1, 1], "y": [0, 1]}


def test_a_stiff_flow_arrives(tmp_path: Path) -> None:
    claim = UserClaim(
        "m.stiff",
        "u*w",
        "converges",
        "1",
        along="flow",
        time="5",
        within="1/100",
        at={"u": 8, "w": 4, "gamma": 0, "x": [1], "y": [1]},
    )

    result = checked(declared(tmp_path, SCALAR), claim)

    assert result.verdict.name == "SUPPORTED"
    assert all(e.verdict.name == "SUPPORTED" for e in result.evidence)


def test_a_share_that_is_not_told_says_how_many_runs_would(tmp_path: Path) -> None:
    claim = UserClaim(
        "m.share",
        "u*w",
        "converges",
        "1/2",
        along="sgd",
        steps=400,
        within="1/20",
        share="1/2",
        at={"u": 2, "w": 1, "gamma": 0, "eta": "1/10", "S": 1} | DATA,
    )

    result = checked(declared(tmp_path, SCALAR), claim)

    assert result.verdict.name == "INCONCLUSIVE"
    for evidence in result.evidence:
        assert "runs arrive, where a share of 0.5 is claimed" in evidence.summary
        assert evidence.summary.endswith(" would.")
