"""Mutants of the derivations by words of matrices."""

from __future__ import annotations

from verify._mutants._reasons import REASONS
from verify._mutants._table import Row, of_rows


_WORDS, _FLOW = "symbolic._words", "symbolic._matrices.flow"
_NET = f"{_FLOW}:Factorisation"
_THM2, _PROP1 = ("p1.thm2.corrected",), ("p1.prop1.corrected",)

_ROWS: tuple[Row, ...] = (
    (
        "words: Σ not centred",
        "centring",
        f"{_FLOW}:matrix_flow",
        "(per_sample - of_mean)",
        "per_sample",
        ("p1.eq5", "p1.thm2.corrected"),
    ),
    (
        "words: noise 2σ²",
        "factor",
        f"{_FLOW}:matrix_flow",
        'noise=scalar("sigma2") *',
        'noise=2 * scalar("sigma2") *',
        ("p1.eq5", "p1.thm2.corrected"),
    ),
    (
        "words: decay −γ",
        "factor",
        f"{_FLOW}:matrix_flow",
        '-2 * scalar("gamma")',
        '-scalar("gamma")',
        ("p1.eq7",),
    ),
    (
        "words: decay +2γ",
        "sign",
        f"{_FLOW}:matrix_flow",
        '-2 * scalar("gamma")',
        '2 * scalar("gamma")',
        ("p1.eq7",),
    ),
    (
        "words: +DC[∇L]",
        "sign",
        f"{_FLOW}:matrix_flow",
        "loss=-differential",
        "loss=differential",
        ("p1.eq5", "p1.thm2.corrected", "p1.prop1.corrected"),
    ),
    (
        "words: D²f without 2",
        "factor",
        f"{_WORDS}.calculus:second_differential",
        "return per_sample.mean() * 2, of_mean * 2",
        "return per_sample.mean(), of_mean",
        ("p1.eq5",),
    ),
    (
        "words: gradient transposed",
        "transposition",
        f"{_WORDS}.calculus:_partials",
        "rest if letter.transposed else transpose(rest)",
        "transpose(rest) if letter.transposed else rest",
        _PROP1,
    ),
    (
        "words: Xᵀ replaced by G, not Gᵀ",
        "transposition",
        f"{_WORDS}.calculus:_inserted",
        "transpose(new) if letter.transposed else new",
        "new",
        ("p1.prop1.corrected", "p1.thm2.corrected"),
    ),
    (
        "words: Laplacian counts each pair once",
        "factor",
        f"{_WORDS}.moments:_second_partials",
        "permutations(places, 2)",
        "list(permutations(sorted(places), 2))[: len(places) * (len(places) - 1) // 2]",
        ("p1.prop2.corrected",),
    ),
    (
        "words: Tr[XPXᵀQ] → Tr[RP] Tr[CQ]",
        "swap",
        f"{_WORDS}.moments:_contracted",
        "new = [(P + C, X.cols), (R + Q, X.rows)]",
        "new = [(P + C, X.rows), (R + Q, X.cols)]",
        ("p1.prop2.corrected",),
    ),
    (
        "words: κ = 1 − ηγ",
        "factor",
        f"{_FLOW}:matrix_step",
        '2 * eta * scalar("gamma")',
        'eta * scalar("gamma")',
        ("own.discrete",),
    ),
    (
        "words: a step up the gradient",
        "sign",
        f"{_FLOW}:matrix_step",
        "kappa * X - eta * G[X]",
        "kappa * X + eta * G[X]",
        ("own.discrete",),
    ),
    (
        "words: Hessian of ½γ‖θ‖²",
        "factor",
        f"{_FLOW}:hessian_trace",
        "+ gamma * norm2(X)",
        "+ gamma * norm2(X) * Fraction(1, 2)",
        ("p1.prop2.corrected",),
    ),
    (
        "words: C = θᵀAθ",
        "factor",
        f"{_FLOW}:QuadraticCharge.charge",
        "Fraction(1, 2)",
        "Fraction(1)",
        ("p1.eq5",),
    ),
    (
        "words: Tr[ΣA] not centred",
        "centring",
        f"{_FLOW}:QuadraticCharge.noise_trace",
        " - mean.T @ self.A @ mean",
        "",
        ("p1.eq5",),
    ),
    (
        "words: Q = UᵀU + WWᵀ",
        "sign",
        f"{_NET}.charge",
        "- self.W @",
        "+ self.W @",
        _THM2,
    ),
    (
        "words: r = UWx + y",
        "sign",
        f"{_NET}.residual",
        "self.x - self.y",
        "self.x + self.y",
        _PROP1,
    ),
    (
        "words: Γ_U and Γ_W exchange their weights",
        "swap",
        f"{_NET}.noise_matrices",
        "(norm2(x) * (r @ r.T)).mean()",
        "(norm2(r) * (r @ r.T)).mean()",
        _THM2,
    ),
    (
        "words: Γ + MMᵀ",
        "sign",
        f"{_NET}.noise_matrices",
        "of_U - M @ M.T",
        "of_U + M @ M.T",
        _THM2,
    ),
    (
        "words: Γ_W not centred",
        "centring",
        f"{_NET}.noise_matrices",
        "of_W - M.T @ M",
        "of_W",
        _THM2,
    ),
    (
        "words: Γ_U without its shift",
        "dropped term",
        f"{_NET}.noise_matrices",
        'of_U + shift * identity("d_y")',
        "of_U",
        _THM2,
    ),
    (
        "words: UᵀΓ_UU − WΓ_WWᵀ",
        "sign",
        f"{_NET}.imbalance",
        "self.W @ of_W @ self.W.T - self.U.T @ of_U @ self.U",
        "self.U.T @ of_U @ self.U - self.W @ of_W @ self.W.T",
        _THM2,
    ),
)

WORDS = of_rows(_ROWS, REASONS)
