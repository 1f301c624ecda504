"""The page docs/benchmarks.md: ratios, the figure, how to repeat it, and its limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks._derivation import DEPTHS, OURS, WIDTHS


_PAGE = """\
# Benchmarks

`make bench` measures this page, its figure and [results.json](benchmarks/results.json).

![CPU time of derivations and of noise equilibria](benchmarks/benchmarks.svg)

Every method is compared with an exact reference before it is timed; a derivation that
differs stops the run, wrong roots are counted. Methods take turns in one process with
one thread on one core, each from empty caches and without garbage collection. Times are
process CPU time: medians over up to {rounds} repeats (fewer where they are long), bars
and brackets from the least to the largest. Only the ratios carry over to other
machines.

## Derivation

For ℓ = ‖UWx − y‖², U and W of size d × d: the gradients, the Noether identity
Uᵀ∂ℓ/∂U = ∂ℓ/∂W Wᵀ, the trace of the Hessian, and the Itô terms of Q = UᵀU − WWᵀ, in
normal form. Words of matrices and MatrixSymbol have every size free, the others one
symbol for each entry. The reference is differences of the loss in rational arithmetic,
which are exact because ℓ is quadratic in each entry.

Words of matrices take {ours} for all four, whatever the width. CPU time
of the others over that, measured beside it (greater than 1: slower than words):

{all}

The same without the Itô terms, over {ours_without} of words:

{without}

">": not done after {limit:g} CPU seconds, here or at a smaller width.

In words of matrices only, with every size free:

{own}

At depth D: the gradients, all D − 1 Noether identities and the trace of the Hessian of
‖W_D ⋯ W_1 x − y‖². Theorem 2 (the flow of Q with its noise matrices, averaged over the
data) and Proposition 2 (the trace of the Hessian) are those of arXiv 2402.07193 as
corrected here: derived, compared with the claimed formula, and proved.

## Generated code

The drift of the charge of a factorisation, J = (UB, −BW), from 64 per-sample gradients:
the module that `noetherflow compile` writes, over the same formula by hand. It reads
sizes from the arrays and checks its input; by hand nothing is checked.

{generated}

## Noise equilibrium

λ* of orbits with 8 eigenvalues, in CPU time for one root over that of
`noise_equilibrium` ({easy} easy, {hard} hard):

{roots}

Easy: |μ| from 0.5 to 2, s and t from 0.1 to 10, uniform. Hard: |μ| from 1e-3 to 1e2, s
and t from 1e-12 to 1e12, log-uniform. Every scipy method is given the equation as an
equality of two log-sums of exponentials, which cannot overflow; "bracket given" and
brentq also get the bracket that its slopes imply. Of {checked} roots each, "wrong"
counts those further from the certified one than double precision explains. Batches are
of 4000 roots; brentq is timed on 400, the certificates (128 bits) on 200.

## Limits

- One loss, one machine. The other libraries are used as well as the authors of this
  package know how; there may be faster ways.
- Words of matrices do more than the others: their trace and Itô terms are averaged over
  the data, centred, and contain weight decay. The others have those of one sample; in
  the comparison with the reference their values are averaged outside the clock.
- At small widths python-flint and symengine are as fast or faster (ratios below 1).
- Most of what words save elsewhere is the expansion of the Itô terms, which a normal
  form needs but a number does not; hence the second table.
- MatrixSymbol is flat in d too. sympy finds the same four results with it, once the
  array expression of the Hessian is contracted by hand.
- Two entries of the matrix of Itô terms are compared with the reference, and all of
  the gradients and the trace.
- The limit interrupts a library between its calls, so a run may pass it by the length
  of one call.
- JAX, optimistix and numba are not among the root finders.
- Whatever else runs on the machine shares its caches and its clock: medians of one
  method at different widths differ by a third at times. Repeat before trusting less.

## To repeat it

`make bench` takes about {minutes:.0f} minutes and overwrites this page. It needs the
extras `report` (the figure) and `fast` (python-flint, which also gives the
certificates). symengine comes with the dependency group `bench`; without it, it is
skipped, with a line that says so.

{machine}
"""


def page(results: dict[str, Any]) -> str:
    """Return the page.

    Args:
        results: what results.json holds.

    Returns:
        Markdown.
    """
    derivation, roots = results["derivation"], results["equilibrium"]
    settings = results["settings"]
    best = {d: roots[d]["noise_equilibrium"]["seconds"]["median"] for d in roots}
    return _PAGE.format(
        rounds=settings["rounds"],
        limit=settings["limit"],
        minutes=max(1.0, settings["cpu_seconds"] / 60),
        ours=_range(derivation[OURS], "all"),
        ours_without=_range(derivation[OURS], "without Itô"),
        all=_ratios(derivation, "all"),
        without=_ratios(derivation, "without Itô"),
        own=_own(results["ours"]),
        generated=_generated(results["generated"]),
        easy=_time(best["easy"]),
        hard=_time(best["hard"]),
        checked=settings["checked"],
        roots=_roots(roots, best),
        machine=_table(("machine", ""), list(results["machine"].items())),
    )


def _ratios(table: dict[str, Any], what: str) -> str:
    rows = []
    for name, by_width in table.items():
        if name == OURS:
            continue
        row = [name]
        for d in WIDTHS:
            ours = table[OURS][str(d)][what]["median"]
            found = by_width.get(str(d), {}).get(what)
            row.append(_number(found["median"] / ours) if found else ">")
        rows.append(row)
    return _table(("", *(f"d = {d}" for d in WIDTHS)), rows)


def _own(ours: dict[str, Any]) -> str:
    names = [f"depth {depth}" for depth in DEPTHS] + ["Theorem 2", "Proposition 2"]
    return _table(("", "CPU time"), [(name, _spread(ours[name])) for name in names])


def _generated(rows: list[dict[str, Any]]) -> str:
    """Return the ratios of generated code to code by hand."""
    head = ["", *(f"d = {row['width']}" for row in rows if row["backend"] == "numpy")]
    lines = []
    for backend in ("numpy", "torch"):
        own = [row for row in rows if row["backend"] == backend]
        for what, name in (("to_einsum", "einsum"), ("to_products", "products")):
            ratios = [f"{row[what]:.2f}" for row in own]
            lines.append([f"{backend}, over {name} by hand", *ratios])
    return _table(head, lines)


def _roots(roots: dict[str, Any], best: dict[str, float]) -> str:
    rows = []
    for name in roots["easy"]:
        row = [name]
        for difficulty, each in roots.items():
            found = each[name]
            row.append(_number(found["seconds"]["median"] / best[difficulty]))
            own = name.startswith("certify")
            row.append("the reference" if own else str(found["wrong"]))
        rows.append(row)
    return _table(("", "easy", "wrong", "hard", "wrong"), rows)


def _range(by_width: dict[str, Any], what: str) -> str:
    medians = [each[what]["median"] for each in by_width.values()]
    return f"{1e3 * min(medians):.1f} to {1e3 * max(medians):.1f} ms"


def _spread(timing: dict[str, float]) -> str:
    low, high = 1e3 * timing["low"], 1e3 * timing["high"]
    return f"{_time(timing['median'])} [{low:.2f}, {high:.2f}]"


def _time(seconds: float) -> str:
    if seconds < 1e-4:
        return f"{1e6 * seconds:.1f} µs"
    return f"{1e3 * seconds:.2f} ms"


def _number(x: float) -> str:
    if x < 10:
        return f"{x:.2g}" if x < 1 else f"{x:.1f}"
    return f"{x:,.0f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
