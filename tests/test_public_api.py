"""The public names of each package, frozen: a change here is a change of contract."""

from __future__ import annotations

import importlib

import pytest


PUBLIC = {
    "symbolic": """
        Characteristic Condition Constant CovarianceFromMoments Declaration
        DeclarationError Defect DefectRange DegenerateCase Derivation DiscreteLaw
        Equilibrium Factorisation Finding IntegratingFactor ItoProcess LieAlgebra Loss
        MatrixDerivation MatrixFlow MatrixPolynomial MatrixStep NoCharge NoFactor
        NotEnclosed OrbitTrace ParameterSpace QuadraticCharge Step Symmetry Verdict
        Witness any_symmetric balanced_deep_net bracket broken_flow catalogue
        characteristic compare compare_polynomials deep_balance defect defect_over
        degenerate_cases derive derive_components derive_matrices differential
        discrete_laws dot enclose equilibrium_gradient evaluate explicit_equilibrium
        explicit_flow factorisation find_condition find_conditions finite_covariance
        gaussian_covariance gaussian_flow gaussian_mean generic_equilibrium gradient
        hessian_trace hessian_trace_on_orbit identity integrating_factor laplacian
        latex lie_algebra linear_chain load loads low_rank matrix matrix_factorisation
        matrix_flow matrix_step moments_covariance monotone norm2 on_branches
        orbit_shift quadratic_charge random_instance random_point relu relu_neuron
        rescaling rewrite sample scalar scaling second_moment sgd_process step
        substitute symbolic_catalogue symmetric_part tanh_net text theorem2_gaussian
        zero
    """,
    "numeric": """
        Backprop Certificate CompilationError Degeneracy Evaluators LinearNet
        LossEvaluator NeuronForms NoiseMatrices ReluMlp ShapeError Simulation
        certify_equilibrium compile compile_loss module_source noise_equilibrium
        simulate
    """,
    "verify": """
        PROFILES Breakage Campaign Claim ClaimResult Context Evidence FactorInterval
        FactorTest Figure Instance Series TwinResult UnknownClaimError claim_ids
        claim_titles combine declarations disagree instances symmetric_matrices verify
    """,
    "noetherflow": """
        Campaign Certificate Constant Declaration DeclarationError Derivation Finding
        Loss MatrixDerivation NoCharge ParameterSpace Symmetry Verdict Witness
        catalogue certify_equilibrium compile compile_loss derive discrete_laws
        integrating_factor lie_algebra load loads noise_equilibrium relu simulate
        verify
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
