"""The public names of each package, frozen: a change here is a change of contract."""

from __future__ import annotations

import importlib

import pytest


PUBLIC = {
    "symbolic": """
        Boundary Characteristic Condition Constant CovarianceFromMoments
        DataConstants Declaration DeclarationError Defect DefectRange DegenerateCase
        Derivation DiagonalNetwork DiscreteLaw Equilibrium Factorisation
        FeatureProgram Finding Identity IntegratingFactor ItoProcess LieAlgebra Loss
        MatrixDerivation MatrixFlow MatrixPolynomial MatrixStep NoCharge NoFactor
        NotEnclosed OrbitTrace ParameterSpace PhaseBoundaries Program ProgramNode
        QuadraticCharge ScalarSDE Step Symmetry Verdict Witness ZeroFluxDensity
        any_symmetric balanced_deep_net bracket broken_flow catalogue characteristic
        cold_mode compare compare_polynomials deep_balance deep_limit defect
        defect_over degenerate_cases derive derive_components derive_matrices
        diagonal_network differential discrete_laws dot elementary_logarithm enclose
        equilibrium_gradient evaluate explicit_equilibrium explicit_flow
        factor_balance factorisation feature_program find_condition find_conditions
        finite_covariance gaussian_covariance gaussian_flow gaussian_mean
        generic_equilibrium gradient gradient_program hessian_trace
        hessian_trace_on_orbit identity integrating_factor laplacian latex
        lie_algebra linear_chain load loads low_rank matrix matrix_factorisation
        matrix_flow matrix_step modes moments_covariance monotone network_loss norm2
        on_branches orbit_shift pair_law phase_boundaries product_balance
        quadratic_charge random_instance random_point reduced_from_loss reduced_sde
        relu relu_neuron rescaling rewrite sample scalar scaling second_moment
        sgd_process step substitute symbolic_catalogue symmetric_part tanh_net text
        theorem2_gaussian value_program zero
    """,
    "numeric": """
        PHASES Action Backprop Certificate Certificates CompilationError DataMoments
        Degeneracy Evaluators Generator LinearNet LinearNetMoments LossEvaluator
        MatrixBalance ModelLoss NeuronForms NoBalanceError NoDensityError
        NoiseMatrices NoiseMatrix NoiseMoments NoiseTrace OrbitMinimum OrbitStatus
        OrbitTerm PhaseDiagram ReluMlp ShapeError Simulation StationaryBalance
        StationaryDensity Stream certify_equilibria certify_equilibrium compile
        compile_loss decay_term linear_net_moments matrix_balance matrix_rescaling
        minimise_on_orbit module_source noise_equilibrium noise_function
        noise_matrix noise_moments noise_term noise_trace phase_diagram query_key
        rescaling scaling simulate stationary_balance value_output
    """,
    "verify": """
        PROFILES Audit Breakage Calibration Campaign Claim ClaimCheck ClaimResult
        Context Edit Edited Equivalence Evidence FactorInterval FactorTest Figure
        FunctionClaim Holm Instance Mutant MutantResult MutantRun Rate Restated
        RouteVacuity Series TwinResult UnknownClaimError UserClaim Vacuity
        WorkerError all_mutants assert_binomial assert_dkw
        assert_empirical_bernstein assert_hoeffding assert_martingale audit
        binomial_level calibration claim claim_checks claim_ids claim_titles claims
        combine declarations default_jobs detectable_binomial detectable_dkw
        detectable_empirical_bernstein detectable_hoeffding detectable_martingale
        disagree dkw_distance holm instances martingale_level mutants of_routes
        samples_needed_binomial samples_needed_dkw
        samples_needed_empirical_bernstein samples_needed_hoeffding
        samples_needed_martingale symmetric_matrices vacuity verify verify_claims
    """,
    "noetherflow": """
        Action Campaign Certificate Constant DataMoments Declaration
        DeclarationError Derivation Finding Generator Loss MatrixDerivation
        ModelLoss NoCharge NoDensityError ParameterSpace StationaryDensity Symmetry
        UserClaim Verdict Witness catalogue certify_equilibria certify_equilibrium
        claim compile compile_loss derive discrete_laws integrating_factor
        lie_algebra load loads matrix_balance matrix_rescaling minimise_on_orbit
        noise_equilibrium noise_matrix noise_moments noise_trace
        parametrize_with_claims relu rescaling scaling simulate verify verify_claims
    """,
    "reports": """
        HAS_MATPLOTLIB ReportError claims_markdown draw mutants_outcome
        mutants_table render_html terminal_table to_json write
    """,
}


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_are_frozen_and_sorted(package: str) -> None:
    module = importlib.import_module(package)
    assert module.__all__ == PUBLIC[package].split()
    constants_first = sorted(module.__all__, key=lambda s: (not s.isupper(), s))
    assert module.__all__ == constants_first
    assert all(getattr(module, name).__doc__ for name in module.__all__)
