"""What is derived in words of matrices is what is derived component by component."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import sympy as sp
from hypothesis import Phase, given, settings

from symbolic import (
    Constant,
    Declaration,
    DeclarationError,
    Loss,
    MatrixDerivation,
    NoCharge,
    ParameterSpace,
    Symmetry,
    Verdict,
    derive,
    matrix,
    sample,
)
from symbolic._words.applied import Applied
from tests.matrix_declarations import (
    AFFINE,
    CONSTANTS,
    DATA,
    EXPONENTIAL,
    LINEAR,
    NONLINEAR,
    SHAPES,
    Plain,
    Point,
    Values,
    average,
    both_levels,
    centred,
    generators,
    gradients,
    in_words,
    losses,
    named,
    per_sample,
    renamed,
    seeds,
    sizes,
    written_out,
)


# Without shrinking: a smaller example is found more slowly than read.
phases = (Phase.explicit, Phase.generate)
few = settings(
    max_examples=12, deadline=None, database=None, derandomize=True, phases=phases
)
fewer = settings(few, max_examples=3)  # a loss is refuted component by component
images = generators() | gradients()
any_kind = generators(kinds=(EXPONENTIAL, LINEAR, AFFINE, NONLINEAR)) | images


@few
@given(any_kind, sizes, seeds)
def test_generator_and_charge(J: dict[str, str], n: dict[str, int], seed: int) -> None:
    point = Point(n, seed)
    words, plain = both_levels(J, None, point)
    moved = words.declaration.at(n).symmetry.generator
    assert [point.scalar(e) for e in moved] == plain.J
    found = words.declaration.symmetry.generator
    assert [e for f in found for e in point.words(f)] == plain.J
    try:
        charge = words.charge
    except NoCharge as error:
        _assert_a_curl(J, error)
        return
    assert point.words(charge)[0, 0] == plain.charge
    assert plain.jacobian.is_symmetric()


def _assert_a_curl(J: Mapping[str, str], error: NoCharge) -> None:
    """Check a reported curl at the sizes it is reported for."""
    if error.entry[0] == error.entry[1]:  # by matrices drawn, or undecided
        return
    told = str(error).removeprefix("at ").partition(":")[0]
    n = {k: int(v) for k, v in (pair.split(" = ") for pair in told.split(", "))}
    point = Point({"m": 1, "d": 1, "n": 1} | n, 7)
    plain = Plain(written_out(J, None, point.n), point)
    i, j = (
        [s.name for s in plain.declaration.space.symbols].index(e) for e in error.entry
    )
    assert plain.jacobian[i, j] != plain.jacobian[j, i]


@few
@given(any_kind)
def test_kinds(J: dict[str, str]) -> None:
    n = {"m": 2, "d": 2, "n": 2}
    expected = written_out(J, None, n).symmetry.kind
    assert in_words(J, None).symmetry.kind == expected


@fewer
@given(images, losses, sizes, seeds)
def test_flow(J: dict[str, str], loss: str, n: dict[str, int], seed: int) -> None:
    point = Point(n, seed)
    words, plain = both_levels(J, loss, point)
    h = centred(per_sample("h_", point, seed))
    sigma2, gamma = point.numbers["sigma2"], point.numbers["gamma"]
    found = point.words(words.flow.noise, samples=h)[0, 0]
    assert found == sigma2 * plain.noise(h)
    along = _dot(point.flat(point.values), plain.J)
    assert point.words(words.flow.weight_decay)[0, 0] == -2 * gamma * along
    gbar = average(plain.gradients())
    pull = -_dot(point.flat(gbar, "h_"), plain.J)
    given_mean = renamed(gbar, "h_", "gbar_")
    assert point.words(words.flow.loss, values=given_mean)[0, 0] == pull
    assert (words.invariance.verdict is Verdict.PROVED) == (not words.flow.loss.terms)


def _dot(left: list[sp.Expr], right: list[sp.Expr]) -> sp.Expr:
    return sum((a * b for a, b in zip(left, right, strict=True)), sp.S.Zero)


@fewer
@given(images, losses, sizes, seeds)
def test_explicit_noise_and_hessian(
    J: dict[str, str], loss: str, n: dict[str, int], seed: int
) -> None:
    point = Point(n, seed)
    words, plain = both_levels(J, loss, point)
    assert words.explicit_noise is not None
    assert words.hessian_trace is not None
    noise = point.words(words.explicit_noise, samples=point.samples)[0, 0]
    h = centred(plain.gradients())
    assert noise == point.numbers["sigma2"] * plain.noise(h)
    trace = point.words(words.hessian_trace, samples=point.samples)[0, 0]
    assert trace == plain.hessian_trace()


@few
@given(images, sizes, seeds)
def test_exact_law(J: dict[str, str], n: dict[str, int], seed: int) -> None:
    """For g·J = 0 the law is C(θ') itself."""
    point = Point(n, seed)
    words, plain = both_levels(J, None, point)
    g = per_sample("g_", point, seed, orthogonal_to=plain.J)[0]
    found = point.words(words.exact_law.next_charge, values=g)[0, 0]
    assert found == _after(plain, g)
    assert words.exact_law.proof.verdict is Verdict.PROVED
    other = per_sample("g_", point, seed + 1)[0]
    gap = (
        _after(plain, other)
        - point.words(words.exact_law.next_charge, values=other)[0, 0]
    )
    kappa = point.numbers["(1 - 2*eta*gamma)"]
    along = point.numbers["eta"] * _dot(point.flat(other, "g_"), plain.J)
    assert any(gap == -along * kappa**m for m in range(12))
    if words.declaration.symmetry.kind == "exponential":
        assert gap == -along * kappa


def _after(plain: Plain, g: Values) -> sp.Expr:
    """Return C after one step θ' = θ − η(g + 2γθ)."""
    point = plain.point
    eta, gamma = point.numbers["eta"], point.numbers["gamma"]
    moved = _Moved(point.n, point.seed, point.diagonal)
    kappa = 1 - 2 * eta * gamma
    theta = {name: kappa * point.values[name] - eta * g[f"g_{name}"] for name in SHAPES}
    moved.values.update(theta)
    return Plain(plain.declaration, moved).charge


class _Moved(Point):
    """A point whose values are set."""


@few
@given(images, sizes, seeds)
def test_expectation(J: dict[str, str], n: dict[str, int], seed: int) -> None:
    """For batches of one sample it is the mean of C(θ') over the samples."""
    point = Point(n, seed)
    words, plain = both_levels(J, None, point)
    expectation = words.exact_law.expectation
    kind = words.declaration.symmetry.kind
    assert (expectation is None) == (kind == "nonlinear")
    if expectation is None:
        return
    g = per_sample("g_", point, seed, orthogonal_to=plain.J)
    h = [renamed(each, "g_", "h_") for each in centred(g)]
    gbar = renamed(average(g), "g_", "gbar_")
    found = point.words(expectation, values=gbar, samples=h)[0, 0]
    values = [_after(plain, each) for each in g]
    assert found == sum(values, sp.S.Zero) / len(values)


@few
@given(generators(), sizes, seeds)
def test_balance_at_diagonal_constants(
    J: dict[str, str], n: dict[str, int], seed: int
) -> None:
    """G(θ_λ) = −2γθ_λᵀAθ_λ + σ²Tr[Σe^{−λA}Ae^{−λA}], A from the components."""
    point = Point(n, seed, diagonal=True)
    words, plain = both_levels(J, None, point)
    lam = sp.Rational(2, 7)
    h = centred(per_sample("h_", point, seed))
    assert plain.jacobian.is_diagonal()
    mu = list(plain.jacobian.diagonal())
    theta = point.flat(point.values)
    rows = [point.flat(each, "h_") for each in h]
    expected = sp.S.Zero
    for i, each in enumerate(mu):
        s = sum((row[i] ** 2 for row in rows), sp.S.Zero) / len(rows)
        decay = -2 * point.numbers["gamma"] * each * theta[i] ** 2
        expected += decay * sp.exp(2 * lam * each)
        expected += point.numbers["sigma2"] * each * s * sp.exp(-2 * lam * each)
    found = _balance(words, point, h, lam)
    assert abs(sp.N(found - expected, 30)) <= sp.Float("1e-25") * (1 + abs(expected))


def _balance(
    words: MatrixDerivation, point: Point, h: list[Values], lam: sp.Expr
) -> sp.Expr:
    """Return G with e^M entry by entry, M diagonal."""
    values, eq = dict[str, sp.Matrix](), words.equilibrium
    numbers = {"lam": lam}
    for each in eq.applied:
        M = point.words(each.argument, values=values, numbers=numbers)
        values[each.name] = sp.diag(*map(sp.exp, M.diagonal()))
    return point.words(eq.balance, values=values, numbers=numbers, samples=h)[0, 0]


@few
@given(generators(), sizes, seeds)
def test_balance_and_its_slope_at_0(
    J: dict[str, str], n: dict[str, int], seed: int
) -> None:
    """G(θ) is the flow, and ∂_λG = −4γ‖Aθ‖² − 2σ²Tr[ΣA²] (Theorem 1)."""
    point = Point(n, seed)
    words, plain = both_levels(J, None, point)
    h = centred(per_sample("h_", point, seed))
    lam = sp.Symbol("lam")
    values = dict[str, sp.Matrix]()
    for each in words.equilibrium.applied:  # e^M = I + M + …, M a multiple of λ
        M = point.words(each.argument, values=values, numbers={"lam": lam})
        values[each.name] = sp.eye(M.rows) + M
    balance = words.equilibrium.balance
    G = point.words(balance, values=values, numbers={"lam": lam}, samples=h)[0, 0]
    flow = point.words(words.flow.expression, samples=h)[0, 0]
    assert sp.expand(G).subs(lam, 0) == flow
    A = plain.jacobian
    moved = A * sp.Matrix(point.flat(point.values))
    rows = [A * sp.Matrix(point.flat(each, "h_")) for each in h]
    noise = sum((r.dot(r) for r in rows), sp.S.Zero) / len(rows)
    slope = -4 * point.numbers["gamma"] * moved.dot(moved)
    slope -= 2 * point.numbers["sigma2"] * noise
    assert sp.expand(G).coeff(lam, 1) == sp.expand(slope)


@few
@given(generators(), sizes, seeds)
def test_families(J: dict[str, str], n: dict[str, int], seed: int) -> None:
    """C = ½Tr[QB], and Ċ = ½Tr[Q̇B], for the B at hand."""
    point = Point(n, seed)
    words, _ = both_levels(J, None, point)
    h = centred(per_sample("h_", point, seed))
    for each in words.families:
        B = point.values[each.constant]
        half = (point.words(each.charge) * B).trace() / 2
        assert half == point.words(words.charge)[0, 0]
        moved = (point.words(each.flow.expression, samples=h) * B).trace() / 2
        assert moved == point.words(words.flow.expression, samples=h)[0, 0]
        assert each.constant not in str(each.charge).replace("norm2", "")


@pytest.mark.parametrize(
    ("J", "constants"),
    [
        ("U*B", {"B"}),
        ("A*U + U*B", set()),  # linear in neither alone
        ("U*B + U", set()),  # C has a part without B
        ("tr(B)*U*B", set()),
        ("exp(tr(B))*U*B", set()),
        ("A*U*B", set()),  # the sum of all Q would not be free of the other
    ],
)
def test_which_families_there_are(J: str, constants: set[str]) -> None:
    law = derive(in_words({"U": J}, None))
    assert isinstance(law, MatrixDerivation)
    found = {each.constant for each in law.families}
    assert found == constants or (J == "A*U*B" and found <= {"A", "B"})


@pytest.mark.parametrize("power", ["c**40", "norm2(U)**10*c", "(c**32)**6"])
def test_charges_of_high_degree(power: str) -> None:
    words = derive(in_words({"c": power}, None))
    assert isinstance(words, MatrixDerivation)
    if "U" in power:
        with pytest.raises(NoCharge, match="dJ_"):
            _ = words.charge
        return
    assert str(words.charge) in ("c**41/41", "c**193/193")
    try:
        law = words.exact_law.next_charge
    except DeclarationError as error:
        assert "of moderate degree" in str(error)  # noqa: PT017 - either is right
        assert power != "c**40"
        return
    point = Point({"m": 1, "d": 1, "n": 1}, 3)
    still = named("g_", [sp.S.Zero] * 4, point)
    kappa = point.numbers["(1 - 2*eta*gamma)"]
    still["c"] = sp.Matrix([[sp.Rational(3, 2)]])
    expected = (kappa * sp.Rational(3, 2)) ** 41 / 41
    assert point.words(law, values=still)[0, 0] == expected


def test_the_rank_one_symmetry_of_a_vector_balances() -> None:
    law = derive(in_words({"v": "a*a.T*v"}, None))
    assert isinstance(law, MatrixDerivation)
    assert law.declaration.symmetry.kind == "exponential"
    assert any(each.function == "expm" for each in law.equilibrium.applied)


@pytest.mark.parametrize(
    "J", [{"U": "P*v*a.T"}, {"U": "P"}, {"U": "U*Q"}, {"U": "A*U*B"}]
)
def test_what_has_no_balance_says_so(J: dict[str, str]) -> None:
    law = derive(in_words(J, None))
    assert isinstance(law, MatrixDerivation)
    with pytest.raises(DeclarationError, match="expected an exponential symmetry"):
        _ = law.equilibrium


@pytest.mark.parametrize(
    ("J", "closed"),
    [
        ({"U": "U", "W": "-W"}, True),
        ({"U": "2*U"}, True),
        ({"U": "U*B"}, False),
        ({"U": "k*U"}, False),
    ],
)
def test_closed_forms(J: dict[str, str], closed: bool) -> None:
    law = derive(in_words(J, None))
    assert isinstance(law, MatrixDerivation)
    assert (law.equilibrium.closed_form is not None) == closed


def test_a_closed_form_is_the_zero_of_the_balance() -> None:
    law = derive(in_words({"U": "U", "W": "-W"}, None))
    assert isinstance(law, MatrixDerivation)
    point = Point({"m": 2, "d": 2, "n": 1}, 11)
    h = centred(per_sample("h_", point, 5))
    closed = law.equilibrium.closed_form
    assert closed is not None
    norms = {f"norm2({name})": point.values[name].norm() ** 2 for name in ("U", "W")}
    for name in ("U", "W"):
        square = sum((each[f"h_{name}"].norm() ** 2 for each in h), sp.S.Zero)
        norms[f"mean(norm2(h_{name}))"] = square / len(h)
    # longest names first, so that norm2(h_U) goes with its mean
    for name, value in sorted(norms.items(), key=lambda item: -len(item[0])):
        closed = closed.replace(name, f"({value})")
    lam = sp.sympify(closed, locals={k: point.numbers[k] for k in ("gamma", "sigma2")})
    G = _balance(law, point, h, lam)
    assert abs(sp.N(G, 40)) <= sp.Float("1e-30")


def test_everything_is_shown() -> None:
    law = derive(in_words({"U": "U*B", "W": "-B*W"}, "norm2(U*W*x - y)"))
    assert isinstance(law, MatrixDerivation)
    shown = law.to_dict()
    assert shown["families"]["B"]["charge"] == "U.T*U - W*W.T"
    assert shown["invariance"]["verdict"] == "PROVED"
    assert {"B", "d", "m", "n", "gamma", "lam"} <= set(shown["symbols"])
    assert r"\begin{aligned}" in law.to_latex()
    assert "<table>" in law._repr_html_()
    assert "for every symmetric B" in [step.rule for step in law.steps]


def test_polynomials_may_be_given_as_they_are() -> None:
    U, W = matrix("U", "m", "d"), matrix("W", "d", "n")
    x = sample("x", "n")
    space = ParameterSpace(U=("m", "d"), W=("d", "n"))
    symmetry = Symmetry.from_generator(space, {"U": U, "W": -W})
    f = (x.T @ W.T @ U.T @ U @ W @ x).tr()
    law = derive(Declaration("given", space, symmetry, Loss(f, space, {"x": ("n",)})))
    assert law.invariance.verdict is Verdict.PROVED
    with pytest.raises(DeclarationError, match="got a mean over the samples"):
        Loss(f.mean(), space, {"x": ("n",)})


@pytest.mark.parametrize("J", [{"U": "P"}, {"c": "k", "v": "a"}])
def test_translations(J: dict[str, str]) -> None:
    law = derive(in_words(J, None))
    assert isinstance(law, MatrixDerivation)
    assert law.declaration.symmetry.kind == "affine"
    assert not law.flow.noise.terms


def test_names_are_those_of_the_declaration() -> None:
    assert {c.name for c in CONSTANTS}.isdisjoint({*SHAPES, *DATA})
    wrong = [Constant("B", ("d", "d")), *CONSTANTS[2:]]
    space = ParameterSpace(SHAPES)
    loss = Loss("tr(U*B*U.T)", space, DATA, wrong)
    symmetry = Symmetry.from_generator(space, {"U": "U*B"}, CONSTANTS)
    with pytest.raises(DeclarationError, match="one declaration of the constant B"):
        Declaration("two", space, symmetry, loss)
    clash = Symmetry.from_generator(space, {"U": "U"}, [Constant("x", ("d",))])
    with pytest.raises(DeclarationError, match="the loss has data of that name"):
        Declaration("clash", space, clash, Loss("norm2(x)", space, DATA))


def test_the_functions_of_a_derivation_are_known() -> None:
    law = derive(in_words({"U": "U*B"}, None))
    assert isinstance(law, MatrixDerivation)
    assert all(isinstance(each, Applied) for each in law.equilibrium.applied)
