"""A derivation as plain text, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from symbolic import Derivation, Finding


def derivation_text(law: Derivation) -> str:
    """Return what was derived, one result a line.

    Args:
        law: the derivation.

    Returns:
        Lines of name and expression; expressions as sympy prints them.
    """
    from symbolic import NoCharge

    symmetry = law.declaration.symmetry
    J = ", ".join(map(str, symmetry.generator))
    rows = [
        ("symmetry", f"{symmetry.kind}, J = ({J})"),
        ("invariance", invariance_text(law.invariance)),
    ]
    try:
        flow = law.flow
    except NoCharge as error:
        rows.append(("charge", f"none: {error}"))
    else:
        rows += [
            ("charge", f"C = {law.charge}"),
            ("flow", f"dC/dt = {flow.expression}"),
            ("  noise", str(flow.noise)),
            ("  decay", str(flow.weight_decay)),
        ]
        if flow.loss != 0:
            rows.append(("  loss", f"{flow.loss}, as the loss lacks the symmetry"))
        rows.append(("one step", f"C' = {law.exact_law.next_charge}"))
    if symmetry.kind == "exponential":
        equilibrium = law.equilibrium
        rows.append(("on the orbit", f"G(lam) = {equilibrium.balance}"))
        if equilibrium.closed_form is not None:
            rows.append(("G = 0 at", f"lam = {equilibrium.closed_form}"))
    if law.hessian_trace is not None:
        rows.append(("Hessian", f"trace {law.hessian_trace}"))
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:{width}}  {text}" for name, text in rows]
    return "\n".join([law.declaration.name, *lines, *_LEGEND])


def invariance_text(finding: Finding) -> str:
    """Return the verdict on the symmetry, with its witness or its reason."""
    if finding.witness is not None:
        return f"{finding.verdict.name} {finding.witness.describe()}"
    condition = f", {finding.condition}" if finding.condition else ""
    return f"{finding.verdict.name}: {finding.reason}{condition}"


_LEGEND = (
    "",
    "gamma: weight decay of gamma*|theta|^2. sigma2 = eta/(2S): learning rate, batch.",
    "Sigma_a_b: centred covariance of the per-sample gradients; g: of a minibatch.",
)
