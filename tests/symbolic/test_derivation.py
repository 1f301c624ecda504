"""What `derive` exports: the JSON contract, golden files, LaTeX, verdicts."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import sympy as sp

from symbolic import (
    Declaration,
    Finding,
    ParameterSpace,
    Symmetry,
    Verdict,
    Witness,
    catalogue,
    derive_components,
    rescaling,
)


GOLDEN = Path(__file__).parent / "golden"
KEYS = [
    "schema", "name", "parameters", "symbols", "kind", "generator", "matrix", "charge",
    "integrating_factor", "invariance", "flow", "exact_law", "equilibrium",
    "hessian_trace",
]  # fmt: skip
MORE = [
    "expectation", "explicit_noise", "closed_form", "characteristic",
    "degenerate_cases", "hessian_trace_on_orbit", "least_hessian_trace",
]  # fmt: skip
SMALL = [d for d in catalogue() if d.space.size <= 5]


def _expressions(exported: dict[str, Any]) -> list[str]:
    texts = [*exported["generator"].values(), *exported["flow"].values()]
    texts += [entry for row in exported["matrix"] for entry in row]
    texts += [exported["charge"]["expression"]]
    noise = exported["explicit_noise"] or {"expression": None}
    texts += [noise["expression"], exported["closed_form"]]
    laws = ("exact_law", "expectation", "equilibrium", "hessian_trace")
    texts += [exported[k] for k in (*laws, "hessian_trace_on_orbit")]
    return [text for text in texts if text is not None]


def test_rescaling_is_golden() -> None:
    found = derive_components(rescaling()).to_dict()
    assert found == json.loads((GOLDEN / "rescaling.json").read_text("utf-8"))


def test_rescaling_latex_is_golden() -> None:
    expected = (GOLDEN / "rescaling.tex").read_text("utf-8")
    assert derive_components(rescaling()).to_latex() + "\n" == expected


@pytest.mark.parametrize("declaration", SMALL, ids=lambda d: str(d.name))
def test_export_follows_the_contract(declaration: Declaration) -> None:
    law = derive_components(declaration)
    exported = law.to_dict()
    assert list(exported) == KEYS + MORE
    assert json.loads(json.dumps(exported)) == exported
    assert exported["schema"] == 1
    assert exported["charge"]["exists"] is True
    names = exported["symbols"]
    assert names == sorted(set(names))
    local = {name: sp.Symbol(name, real=True) for name in names}
    for text in _expressions(exported):
        parsed = sp.sympify(text, locals=local)
        assert {symbol.name for symbol in parsed.free_symbols} <= set(names)


def test_parsed_expressions_are_those_derived() -> None:
    law = derive_components(rescaling())
    exported = law.to_dict()
    local = {name: sp.Symbol(name, real=True) for name in exported["symbols"]}
    plain = {s: local[s.name] for s in law.equilibrium.balance.free_symbols}
    text = exported["equilibrium"]
    assert (
        sp.expand(
            sp.sympify(text, locals=local) - law.equilibrium.balance.xreplace(plain)
        )
        == 0
    )


def test_hessian_trace_counts_the_decay() -> None:
    u, w = rescaling().space.symbols
    x, gamma = sp.symbols("x gamma", real=True)
    trace = derive_components(rescaling()).hessian_trace
    assert trace is not None
    assert sp.expand(trace - (2 * x**2 * (u**2 + w**2) + 4 * gamma)) == 0


def test_without_a_loss() -> None:
    space = ParameterSpace(u=(), w=())
    law = derive_components(
        Declaration("bare", space, Symmetry.exponential(space, sp.eye(2)))
    )
    assert law.hessian_trace is None
    assert law.to_dict()["invariance"] == {
        "verdict": "NOT_APPLICABLE",
        "witness": None,
        "condition": None,
    }
    assert law.to_dict()["hessian_trace"] is None
    assert not any("invariance" in step.rule for step in law.steps)


def test_latex_names_the_paper_s_symbols() -> None:
    latex = derive_components(rescaling()).to_latex()
    assert r"\lambda" in latex
    assert r"\sigma^{2}" in latex
    assert "lam" not in latex.replace("lambda", "")
    assert "sigma_{2}" not in latex
    assert latex.count(r"\begin{aligned}") == latex.count(r"\end{aligned}") == 1
    assert derive_components(rescaling())._repr_latex_() == f"${latex}$"


def test_derivations_pickle() -> None:
    law = derive_components(rescaling())
    again = pickle.loads(pickle.dumps(law))
    assert again.to_dict() == law.to_dict()


def test_verdicts_are_ordered_by_what_they_rest_on() -> None:
    assert Verdict.PROVED.at_least(Verdict.CERTIFIED)
    assert not Verdict.SUPPORTED.at_least(Verdict.PROVED)
    assert Verdict.REFUTED.at_least(Verdict.REFUTED)
    assert not Verdict.PROVED.at_least(Verdict.REFUTED)
    assert not Verdict.INCONCLUSIVE.at_least(Verdict.SUPPORTED)
    assert {v.name for v in Verdict if v.holds} == {"PROVED", "CERTIFIED", "SUPPORTED"}


def test_a_refutation_needs_a_witness() -> None:
    with pytest.raises(ValueError, match="REFUTED finding needs a witness"):
        Finding(Verdict.REFUTED, "because")


def test_witnesses_are_values() -> None:
    given = {"u": "1/2"}
    witness = Witness(given, "1", "2", exact=True)
    given["u"] = "3"
    assert witness.values["u"] == "1/2"
    assert pickle.loads(pickle.dumps(witness)) == witness
    assert len({witness, Witness({"u": "1/2"}, "1", "2", exact=True)}) == 1
