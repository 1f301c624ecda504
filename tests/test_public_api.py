"""The public names of each package, frozen: a change here is a change of contract."""

from __future__ import annotations

import importlib

import pytest


PUBLIC = {
    "symbolic": """
        Declaration DeclarationError Derivation Equilibrium Factorisation
        Finding ItoProcess Loss MatrixFlow MatrixPolynomial MatrixStep NoCharge
        NotEnclosed ParameterSpace QuadraticCharge Step Symmetry Verdict Witness
        any_symmetric catalogue compare compare_polynomials derive differential
        dot enclose evaluate factorisation gaussian_mean gradient hessian_trace
        identity laplacian latex linear_chain load low_rank matrix
        matrix_factorisation matrix_flow matrix_step monotone norm2 on_branches
        quadratic_charge random_instance random_point relu relu_neuron rescaling
        rewrite sample scalar scaling second_moment sgd_process step substitute
        symbolic_catalogue tanh_net zero
    """,
    "numeric": """
        Backprop Certificate CompilationError Degeneracy Evaluators LinearNet
        LossEvaluator NeuronForms NoiseMatrices ReluMlp ShapeError Simulation
        certify_equilibrium compile compile_loss noise_equilibrium simulate
    """,
    "verify": """
        PROFILES Breakage Campaign Claim ClaimResult Context Evidence FactorInterval
        FactorTest Figure Instance Series TwinResult UnknownClaimError claim_ids
        claim_titles combine declarations disagree instances symmetric_matrices verify
    """,
    "noetherflow": """
        Campaign Certificate Declaration DeclarationError Derivation Finding
        Loss NoCharge ParameterSpace Symmetry Verdict Witness catalogue
        certify_equilibrium compile compile_loss derive load noise_equilibrium
        relu simulate verify
    """,
    "reports": "ReportError render_html terminal_table to_json write",
}


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_are_frozen_and_sorted(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__all__ == PUBLIC[package].split()
    constants_first = sorted(module.__all__, key=lambda s: (not s.isupper(), s))
    assert module.__all__ == constants_first
    assert all(getattr(module, name).__doc__ for name in module.__all__)
