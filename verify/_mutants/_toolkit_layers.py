"""Mutants of the routes for UWx and of the ensembles."""

from __future__ import annotations

from verify._mutants._reasons import REASONS
from verify._mutants._table import Row, of_rows


_R = "verify._routes"
_EXACT, _NET = f"{_R}._factorisation_exact", f"{_R}._factorisation_words"
_ENS, _FIELD = f"{_R}._ensembles", f"{_R}._field_ensembles"
_LAW = f"{_R}._balance_law"
_THM2, _PROP1 = ("p1.thm2.corrected",), ("p1.prop1.corrected",)
_PROP2 = ("p1.prop2.corrected",)

_ROWS: tuple[Row, ...] = (
    (
        "Γ of the samples: not centred in U",
        "centring",
        f"{_EXACT}:Parts.noise",
        "difference(of_U, product(M, transpose(M)))",
        "of_U",
        _THM2,
    ),
    (
        "Γ of the samples: M² for MMᵀ",
        "transposition",
        f"{_EXACT}:Parts.noise",
        "product(M, transpose(M))",
        "product(M, M if len(M) == len(M[0]) else transpose(M))",
        _THM2,
    ),
    (
        "Γ of the samples: ‖r‖ for ‖x‖",
        "swap",
        f"{_EXACT}:Parts.noise",
        "[dot(x, x) for x in self.x]",
        "[dot(r, r) for r in self.r]",
        _THM2,
    ),
    (
        "two sides: UᵀΓ_UU − WΓ_WWᵀ",
        "sign",
        f"{_EXACT}:Parts.imbalance",
        "difference(left, product(product(transpose(self.U), of_U), self.U))",
        "difference(product(product(transpose(self.U), of_U), self.U), left)",
        _THM2,
    ),
    (
        "two sides: shift doubled",
        "factor",
        f"{_EXACT}:Parts.imbalance",
        "_shifted(m, shift)",
        "_shifted(m, 2 * shift)",
        _THM2,
    ),
    (
        "Γ of the samples: sums, no means",
        "normalisation",
        f"{_EXACT}:_mean_outer",
        " / len(triples)",
        "",
        _THM2,
    ),
    (
        "B read with the wrong sign",
        "sign",
        f"{_EXACT}:symmetric_part",
        "-A[start",
        "A[start",
        ("p1.prop1.corrected", "p1.thm2.corrected"),
    ),
    (
        "columns added to rows",
        "sign",
        f"{_EXACT}:rows_and_columns_exact",
        "total -= sum",
        "total += sum",
        _PROP1,
    ),
    (
        "rows and columns exchanged",
        "swap",
        f"{_EXACT}:rows_and_columns_exact",
        "[[i * d + k for k in range(d)] for i in range(d_y)]",
        "[[k * d_y + i for k in range(d)] for i in range(d_y)]",
        _PROP1,
    ),
    (
        "Hessian: d_x for d_y",
        "swap",
        f"{_EXACT}:hessian_exact",
        "d_y * _trace(along)",
        "d_x * _trace(along)",
        _PROP2,
    ),
    (
        "Hessian: decay γ",
        "factor",
        f"{_EXACT}:hessian_exact",
        "2 * instance.gamma",
        "instance.gamma",
        _PROP2,
    ),
    (
        "Hessian in words: d_x for d_y",
        "swap",
        f"{_NET}:hessian_words",
        'scalar("d_y") * (W',
        'scalar("d_x") * (W',
        _PROP2,
    ),
    (
        "Hessian in words: no term of U",
        "dropped term",
        f"{_NET}:hessian_words",
        "(along_W + along_U)",
        "along_W",
        _PROP2,
    ),
    (
        "rate in words: σ² = η/S",
        "factor",
        f"{_NET}:balance_rate",
        '_HALF * scalar("eta")',
        'scalar("eta")',
        _THM2,
    ),
    (
        "rate in words: no decay",
        "dropped term",
        f"{_NET}:balance_rate",
        "noise + flow.weight_decay",
        "noise",
        _THM2,
    ),
    (
        "shift γη/S for γS/η",
        "power",
        f"{_NET}:Gamma.shift_at",
        "gamma * S / eta",
        "gamma * eta / S",
        _THM2,
    ),
    (
        "Proposition 1 in words: Σ of rows not centred",
        "centring",
        f"{_NET}:rows_and_columns",
        " - (m_U @ B @ m_U.T).tr()",
        "",
        _PROP1,
    ),
    (
        "Proposition 1 in words: gᵀBg for gBgᵀ",
        "transposition",
        f"{_NET}:rows_and_columns",
        "(g_U @ B @ g_U.T).tr().mean()",
        "(g_U.T @ g_U @ B @ B).tr().mean()",
        _PROP1,
    ),
    (
        "SGD ensembles: known part without ½",
        "factor",
        f"{_ENS}:run",
        "+ eta**2 / 2 * quadratic(problem.A, mean)",
        "+ eta**2 * quadratic(problem.A, mean)",
        ("p1.eq7",),
    ),
    (
        "SGD ensembles: κ − 1 for κ² − 1",
        "power",
        f"{_ENS}:run",
        "known = (kappa**2 - 1.0)",
        "known = (kappa - 1.0)",
        ("p1.eq7",),
    ),
    (
        "SGD ensembles: Σ not centred",
        "centring",
        f"{_ENS}:run",
        "quadratic(problem.A, centred).mean",
        "quadratic(problem.A, G).mean",
        ("p1.eq7",),
    ),
    (
        "SGD ensembles: η for η² in the prediction",
        "power",
        f"{_ENS}:run",
        "predicted = eta * problem.sigma2",
        "predicted = problem.sigma2",
        ("p1.eq7",),
    ),
    (
        "SDE ensembles: noise twice as large",
        "factor",
        f"{_FIELD}:_outcomes",
        "size = 1.0 / sqrt",
        "size = 2.0 / sqrt",
        ("p1.eq5",),
    ),
    (
        "field ensembles: no third order",
        "dropped term",
        f"{_FIELD}:_known",
        "known + (slopes @ weights) @ problem.odds",
        "known",
        ("own.flow",),
    ),
    (
        "field ensembles: decay γθ·J",
        "factor",
        f"{_FIELD}:_known",
        "-2 * eta * gamma * (theta * J)",
        "-eta * gamma * (theta * J)",
        ("own.flow",),
    ),
    (
        "law of Q: prediction η²/S",
        "factor",
        f"{_LAW}:_factor",
        "predicted=2 * eta**2",
        "predicted=eta**2",
        _PROP1,
    ),
    (
        "law of Q: known part with the wrong sign",
        "sign",
        f"{_LAW}:_factor",
        "+ eta**2 / 2 * _trace(squares, B),",
        "- eta**2 / 2 * _trace(squares, B),",
        _PROP1,
    ),
    (
        "gradients in words: without 2",
        "factor",
        f"{_NET}:_gradients",
        "2 * net.r",
        "net.r",
        _PROP1,
    ),
    (
        "existence in words: S for S^½ in W",
        "power",
        f"{_NET}:existence_words",
        "F.T @ root @ R @ inverse_W",
        "F.T @ root @ root @ R @ inverse_W",
        ("p1.thm2.existence",),
    ),
    (
        "existence: S^½ for S",
        "power",
        f"{_R}._existence:existence_exact",
        "case.T**2",
        "case.T",
        ("p1.thm2.existence",),
    ),
    (
        "existence: U without Γ^{−½}",
        "dropped term",
        f"{_R}._existence:existence_exact",
        "U = half_U.inv() * case.L",
        "U = half_U * case.L",
        ("p1.thm2.existence",),
    ),
)

_GRADES = {
    "field ensembles: no third order": "known + {k} * (slopes @ weights) @ problem.odds"
}

LAYERS = of_rows(_ROWS, REASONS, _GRADES)
