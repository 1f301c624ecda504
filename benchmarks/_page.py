"""The page docs/benchmarks.md: ratios, figures, how to repeat it, and its limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmarks import _text
from benchmarks._derivation import DEPTHS, OURS as WORDS
from benchmarks._names import PLAIN, ROOT, RUN, SDE
from benchmarks._targets import rows


_HEAD = """\
# Benchmarks

`make bench` measures this page, its figures and
[results.json](benchmarks/results.json).

Every method is compared with a reference before it is timed; one that differs is
called wrong and gets no time. Methods take turns in one process with one thread on one
core, without garbage collection. Times are process CPU time: medians over five or more
turns. Compilation, and whatever else happens once, is outside the clock; derivations
alone start from empty caches. Only the ratios carry over to other machines.
"""

_REACH = """\
## To reach

The worst ratio over the shapes that set the targets, and over further ones; in
brackets, the shape.

{targets}
"""

_NOISE = """\
## Noise along a generator

Tr[ΣA] of torch models in float32, A = +1 and −1 on the layers in turn, in CPU time over
one plain forward and backward of the same batch:

{times}

Bytes at the peak of a call over what was there before it, in MiB:

{memory}

Where the gradients differ from each other by 0.1 % of their mean, the error over
Σ |scale| Tr Σ_block:

{near}

The reference is a loop over samples in float64. BackPACK and Opacus give norms of
per-sample gradients, so the noise is E‖g‖² − ‖ḡ‖² there. "vmap" takes the fastest of
chunks of 4, 16, 64 and all samples. The JAX version is written for linear layers only.
The transformers have two blocks of width 128, and norms without parameters.
"""

_ENSEMBLES = """\
## Ensembles of small SGD runs

‖UWx − y‖², or ‖U tanh(Wx) − y‖², in float32; S samples in a minibatch, drawn with
replacement from 1024. CPU time over that of `simulate`, for one step of one replica:

{times}

All have the same minibatches: `simulate` draws them within the clock, the others are
given them. After 30 steps they are compared with sums over single samples in float64.
JAX has the replicas first or last, whichever is faster. The modules are trained one
after the other.
"""

_SDE = """\
## Paths of an SDE

Euler-Maruyama for du = −w dg, dw = −u dg, dg = (uw − 1) dt + τ dB, 16384 paths, with
fresh normal numbers, float32. CPU time over that of `simulate`, for one step of one
path:

{times}

Five means over the paths agree with double precision within 5 standard errors.
"""

_ROOTS = """\
## Noise equilibria

λ* of orbits with n eigenvalues, in CPU time for one root over that of
`noise_equilibrium`:

{times}

Wrong roots, of those compared with certificates:

{wrong}

Easy: |μ| from 0.5 to 2, s and t from 0.1 to 10, uniform. Hard: |μ| from 1e-3 to 1e2, s
and t from 1e-12 to 1e12, log-uniform. A root is wrong when it is further from the
certified one than double precision explains. "On H" is the equation as an equality of
two log-sums of exponentials, which cannot overflow; scipy's methods are given it too,
and the bracket that its slopes imply where "bracket given", and to brentq. "On G" is
the equation as it reads. Batches are of 10,000 to 50,000; brentq is timed on 200 and
the certificates (128 bits) on 60.
"""

_DERIVATION = """\
## Derivation

![CPU time of derivations and of noise equilibria](benchmarks/benchmarks.svg)

For ℓ = ‖UWx − y‖², U and W of size d × d: the gradients, the Noether identity
Uᵀ∂ℓ/∂U = ∂ℓ/∂W Wᵀ, the trace of the Hessian, and the Itô terms of Q = UᵀU − WWᵀ, in
normal form. Words of matrices and MatrixSymbol have every size free, the others one
symbol for each entry. The reference is differences of the loss in rational arithmetic,
which are exact because ℓ is quadratic in each entry. A derivation that differs stops
the run. Medians over up to {rounds} repeats; bars and brackets from the least to the
largest.

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
"""

_GENERATED = """\
## Generated code

The drift of the charge of a factorisation, J = (UB, −BW), from 64 per-sample gradients:
the module that `noetherflow compile` writes, over the same formula by hand. It reads
sizes from the arrays and checks its input; by hand nothing is checked.

{generated}
"""

_SCALING = """\
## How cost grows

![Cost against sizes](benchmarks/scaling.svg)
"""

_LIMITS = """\
## Limits

- The other libraries are used as well as the authors of this package know how; there
  may be faster ways.
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
- Peak memory is what the system counts as resident; torch keeps some of what it frees.
- Whatever else runs on the machine shares its caches and its clock: medians of one
  method at different sizes differ by a third at times. Repeat before trusting less.
"""

_REPEAT = """\
## To repeat it

`make bench` takes about {minutes:.0f} minutes and overwrites this page;
`python -m benchmarks noise sde` measures these parts and keeps the others. It needs the
extras `report` (the figures) and `fast` (python-flint, which also gives the
certificates). The other libraries come with the dependency group `bench`; those that
are missing are left out, with a line that says so.

{machines}
"""


def page(results: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        results: what results.json holds; parts that were not measured are left out.

    Returns:
        Markdown.
    """
    sections = [_HEAD]
    if targets := rows(results):
        head = ("", "to reach", "worst of the shapes that set it", "worst of others")
        sections.append(_REACH.format(targets=_text.table(head, targets)))
    writers: dict[str, Callable[[Any], str]] = {
        "noise": _noise,
        "ensembles": _ensembles,
        "sde": lambda found: _SDE.format(times=_times(found["cases"], SDE)),
        "equilibrium": _roots,
        "derivation": _derivation,
        "generated": lambda rows: _GENERATED.format(generated=_generated(rows)),
    }
    sections += [
        write(results[part]) for part, write in writers.items() if part in results
    ]
    sections += [_SCALING, _LIMITS, _repeat(results["measured"])]
    return "\n".join(sections)


def _times(cases: Mapping[str, Any], base: str) -> str:
    """Return a table of ratios to the base, with the base's time; and the reasons."""
    head = ["", *cases]
    lines = [[base, *(_base_time(found.get(base)) for found in cases.values())]]
    for name in _methods(cases):
        if name != base:
            lines.append([name, *(_ratio(found.get(name)) for found in cases.values())])
    return "\n".join([_text.table(head, lines), *_reasons(cases)])


def _methods(cases: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(name for found in cases.values() for name in found))


def _base_time(entry: Mapping[str, Any] | None) -> str:
    if entry and "seconds" in entry:
        return f"1 = {_text.time(entry['seconds']['median'])}"
    return _absence(entry)


def _ratio(entry: Mapping[str, Any] | None) -> str:
    if entry and "ratio" in entry:
        return _text.close(entry["ratio"]["median"])
    if entry and "seconds" in entry:  # the base has none
        return _text.time(entry["seconds"]["median"])
    return _absence(entry)


def _absence(entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return "–"
    return "wrong" if entry["wrong"] else "–"


def _reasons(cases: Mapping[str, Any]) -> list[str]:
    """Return a paragraph on the methods that are left out."""
    reasons = {
        f"{name}: {entry['failed']}"
        for found in cases.values()
        for name, entry in found.items()
        if entry["failed"]
    }
    return ["", "Left out (–): " + "; ".join(sorted(reasons)) + "."] if reasons else []


def _noise(found: Mapping[str, Any]) -> str:
    cases = found["cases"]
    memory = [
        [
            name,
            *(
                _text.size(each[name]["bytes"])
                if each.get(name, {}).get("bytes") is not None
                else "–"
                for each in cases.values()
            ),
        ]
        for name in _methods(cases)
    ]
    near = [
        [name, "–" if error is None else f"{error:.1e}"]
        for name, error in found["near"].items()
    ]
    return _NOISE.format(
        times=_times(cases, PLAIN),
        memory=_text.table(["", *cases], memory),
        near=_text.table(["", "error"], near),
    )


def _ensembles(found: Mapping[str, Any]) -> str:
    return _ENSEMBLES.format(times=_times(found["cases"], RUN))


def _roots(found: Mapping[str, Any]) -> str:
    cases = found["cases"]
    wrong = [
        [name, *(_wrong(each.get(name)) for each in cases.values())]
        for name in _methods(cases)
        if any("lost" in each.get(name, {}) for each in cases.values())
    ]
    return _ROOTS.format(
        times=_times(cases, ROOT), wrong=_text.table(["", *cases], wrong)
    )


def _wrong(entry: Mapping[str, Any] | None) -> str:
    if not entry or "lost" not in entry:
        return "–"
    return f"{entry['lost']} of {entry['of']}"


def _derivation(found: Mapping[str, Any]) -> str:
    table = found["table"]
    return _DERIVATION.format(
        rounds=found["rounds"],
        limit=found["limit"],
        ours=_range(table[WORDS], "all"),
        ours_without=_range(table[WORDS], "without Itô"),
        all=_ratios(table, "all"),
        without=_ratios(table, "without Itô"),
        own=_own(found["own"]),
    )


def _ratios(table: Mapping[str, Any], what: str) -> str:
    lines = []
    for name, by_width in table.items():
        if name == WORDS:
            continue
        line = [name]
        for d, ours in table[WORDS].items():
            entry = by_width.get(d, {}).get(what)
            line.append(
                _text.number(entry["median"] / ours[what]["median"]) if entry else ">"
            )
        lines.append(line)
    return _text.table(("", *(f"d = {d}" for d in table[WORDS])), lines)


def _own(ours: Mapping[str, Any]) -> str:
    names = [f"depth {depth}" for depth in DEPTHS] + ["Theorem 2", "Proposition 2"]
    return _text.table(
        ("", "CPU time"), [(name, _spread(ours[name])) for name in names]
    )


def _generated(measured: Sequence[Mapping[str, Any]]) -> str:
    """Return the ratios of generated code to code by hand."""
    widths = [row["width"] for row in measured if row["backend"] == "numpy"]
    lines = []
    for backend in ("numpy", "torch"):
        own = [row for row in measured if row["backend"] == backend]
        for what, name in (("to_einsum", "einsum"), ("to_products", "products")):
            ratios = [f"{row[what]:.2f}" for row in own]
            lines.append([f"{backend}, over {name} by hand", *ratios])
    return _text.table(["", *(f"d = {d}" for d in widths)], lines)


def _range(by_width: Mapping[str, Any], what: str) -> str:
    medians = [each[what]["median"] for each in by_width.values()]
    return f"{1e3 * min(medians):.1f} to {1e3 * max(medians):.1f} ms"


def _spread(timing: Mapping[str, float]) -> str:
    low, high = 1e3 * timing["low"], 1e3 * timing["high"]
    return f"{_text.time(timing['median'])} [{low:.2f}, {high:.2f}]"


def _repeat(measured: Mapping[str, Any]) -> str:
    seconds = sum(each["cpu_seconds"] for each in measured.values())
    return _REPEAT.format(minutes=max(1.0, seconds / 60), machines=_machines(measured))


def _machines(measured: Mapping[str, Any]) -> str:
    """Return one table of machine and versions for parts that were measured alike."""
    groups: list[tuple[list[str], dict[str, str]]] = []
    for part, each in measured.items():
        for parts, machine in groups:
            if all(machine.get(k, v) == v for k, v in each["machine"].items()):
                parts.append(part)
                machine.update(each["machine"])
                break
        else:
            groups.append(([part], dict(each["machine"])))
    return "\n\n".join(_machine(*group, alone=len(groups) == 1) for group in groups)


def _machine(parts: Iterable[str], facts: Mapping[str, str], *, alone: bool) -> str:
    title = "machine" if alone else f"machine for {', '.join(parts)}"
    return _text.table((title, ""), list(facts.items()))
