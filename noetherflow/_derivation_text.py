"""A derivation as plain text, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from symbolic import Derivation, Finding, MatrixDerivation

    Law = Derivation | MatrixDerivation
    Rows = list[tuple[str, str]]


def derivation_text(law: Law) -> str:
    """Return what was derived, one result a line.

    Args:
        law: the derivation.

    Returns:
        Lines of name and expression; expressions as sympy prints them, or in the
        language of declaration files at symbolic sizes.
    """
    symmetry = law.declaration.symmetry
    J = ", ".join(map(str, symmetry.generator))
    rows = [
        ("symmetry", f"{symmetry.kind}, J = ({J})"),
        ("invariance", invariance_text(law.invariance)),
        *_charge(law),
        *_orbit(law),
    ]
    if law.hessian_trace is not None:
        rows.append(("Hessian", f"trace {law.hessian_trace}"))
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:{width}}  {text}" for name, text in rows]
    legend = list(_MATRIX_LEGEND if law.declaration.is_matrix else _LEGEND)
    if any("__1" in text for _, text in rows):
        legend.append("x__1: x of another sample, drawn independently.")
    return "\n".join([law.declaration.name, *lines, *legend])


def _charge(law: Law) -> Rows:
    """Return the charge and what follows from it, or why there is none."""
    from symbolic import NoCharge

    try:
        flow = law.flow
    except NoCharge as error:
        return [("charge", f"none: {error}"), *_factor(law)]
    rows = [
        ("charge", f"C = {law.charge}"),
        ("flow", f"dC/dt = {flow.expression}"),
        ("  noise", str(flow.noise)),
        ("  decay", str(flow.weight_decay)),
    ]
    if str(flow.loss) != "0":
        refuted = law.invariance.verdict.name == "REFUTED"
        why = "as the loss lacks" if refuted else "0 if the loss has"
        rows.append(("  loss", f"{flow.loss}, {why} the symmetry"))
    if law.declaration.is_matrix:
        return rows + _matrix_rows(law)
    scalar: Any = law
    explicit = scalar.explicit_noise
    if explicit is not None and explicit != 0:
        example = _moment(scalar.covariance, explicit)
        rows.append(("  in data", _short(f"{explicit}{example}")))
    return [*rows, *_step(law.exact_law)]


def _short(text: str) -> str:
    """Return a formula that can be read, or where to find one that cannot."""
    if len(text) <= _LONGEST:
        return text
    return f"a formula of {len(text)} characters; --json has it"


def _moment(covariance: Any, explicit: Any) -> str:
    """Return what one of the moments in a noise is, as an example."""
    used = [(s, m) for s, m in covariance.moments if explicit.has(s)]
    return f", with {used[0][0]} the mean of {used[0][1]}" if used else ""


def _step(exact: Any) -> Rows:
    """Return the exact law and its mean over minibatches."""
    rows = [("one step", f"C' = {exact.next_charge}")]
    if exact.expectation is not None:
        rows.append(("  its mean", str(exact.expectation)))
    return rows


def _factor(law: Any) -> Rows:
    """Return what an integrating factor conserves, or that none was found."""
    from symbolic import IntegratingFactor, NoFactor

    found = None if law.declaration.is_matrix else law.integrating_factor
    if isinstance(found, NoFactor):
        return [("integrating", f"no factor: {found.reason}")]
    if not isinstance(found, IntegratingFactor):
        return []
    where = f", {found.domain}" if found.domain else ""
    return [
        ("integrating", f"factor f = {found.factor}: f*J = grad F{where}"),
        ("  F", f"{found.expression}, the charge of f*J, not of J"),
        ("  dF/dt", _integrated(law.integrated_flow)),
    ]


def _integrated(flow: Any) -> str:
    """Return the drift of F, and why it has no noise where it has none."""
    why = ", since Sigma*J = 0" if flow.noise == 0 else ""
    return f"{flow.expression}{why}"


def _matrix_rows(law: Any) -> Rows:
    from symbolic import DeclarationError

    rows = []
    for each in law.families:
        rows += [
            (f"for every {each.constant}", f"C = tr({each.name}*{each.constant})/2"),
            (f"  {each.name}", str(each.charge)),
            (f"  d{each.name}/dt", str(each.flow.expression)),
        ]
    if law.explicit_noise is not None and law.explicit_noise.terms:
        rows.append(("  in data", _short(str(law.explicit_noise))))
    try:
        return rows + _step(law.exact_law)
    except DeclarationError as error:
        return [*rows, ("one step", str(error))]


def _orbit(law: Law) -> Rows:
    from symbolic import DeclarationError

    if law.declaration.symmetry.kind != "exponential":
        return []
    try:
        equilibrium = law.equilibrium
    except DeclarationError:
        mixed = "no formula at symbolic sizes: J mixes the parameters"
        return [("on the orbit", mixed)]
    rows = [("on the orbit", f"G(lam) = {equilibrium.balance}")]
    found: Any = law
    if law.declaration.is_matrix:
        shift, polynomial, trace = equilibrium.closed_form, None, None
    else:
        shift, polynomial, trace = found.shift, found.characteristic, found.orbit_trace
    if shift is not None:
        rows.append(("G = 0 at", f"lam = {shift}"))
    elif polynomial is not None:
        z = f"z = exp({2 * polynomial.unit}*lam)"
        rows.append(("G = 0 where", f"{polynomial.polynomial} = 0, {z} > 0"))
    if trace is not None:
        rows.append(("  Hessian", f"trace {trace.expression}"))
    return rows


def optimisers_text(law: Law) -> str:
    """Return the exact law of the charge under each optimiser.

    Args:
        law: the derivation.

    Returns:
        A paragraph for each; or why there is none.
    """
    from symbolic import DeclarationError, NoCharge

    try:
        return "\n\n".join(map(_optimiser_text, law.discrete_laws))
    except (NoCharge, DeclarationError) as error:
        return f"no laws of optimisers: {error}"


def _optimiser_text(each: Any) -> str:
    """Return what one step of an optimiser does to the charge."""
    rows = [(name, f"= {text}") for name, text in each.update]
    if each.condition:
        rows.append(("with", each.condition))
    rows += [(f"{name}'", f"= {value}") for name, value in each.next.items()]
    rows += [(str(letter), f"= {value}") for letter, value in each.where.items()]
    if each.expectation is not None:
        rows.append(("E[C']", f"= {each.expectation}"))
    if each.without_replacement is not None:
        rows.append(("", f"= {each.without_replacement}, without replacement"))
    if each.defect is not None:
        rows.append(("defect", f"= {each.defect}: {_broken(each)}"))
    if each.note:
        rows.append(("note", each.note))
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name:{width}} {text}" for name, text in rows]
    return "\n".join([f"{each.optimiser} ({each.proof.verdict.name})", *lines])


def _broken(each: Any) -> str:
    """Return whether the symmetry keeps the defect at 0."""
    found = each.vanishes
    if found is None or found.verdict.name == "INCONCLUSIVE":
        return "undecided whether it vanishes"
    return "it vanishes" if found.verdict.holds else "it need not vanish"


def invariance_text(finding: Finding) -> str:
    """Return the verdict on the symmetry, with its witness or its reason."""
    condition = f", {finding.condition}" if finding.condition else ""
    if finding.witness is not None:
        return f"{finding.verdict.name} {finding.witness.describe()}{condition}"
    return f"{finding.verdict.name}: {finding.reason}{condition}"


_LONGEST = 900  # characters of a formula in the data
_DECAY = (
    "",
    "gamma: weight decay of gamma*|theta|^2. sigma2 = eta/(2S): learning rate, batch.",
)
_LEGEND = (
    *_DECAY,
    "Sigma_a_b: centred covariance of the per-sample gradients; g: of a minibatch.",
)
_MATRIX_LEGEND = (
    *_DECAY,
    "g_X: gradient of a minibatch in X. gbar_X: mean gradient. h_X: gradient of a",
    "sample less the mean. mean(...): over the samples. norm2: squared Frobenius norm.",
)
