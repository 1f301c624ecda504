"""The parts of a compiled module that do not depend on the derivation.

A module holds the public functions that its kind has, a core generated for it, and of
the helpers below those that are named in what stands before. In a core, x is the state,
a flat array (..., n) or a list of arrays (..., *shape), and k are the constants and the
sizes that are symbols:

    _start(theta, constants=None)  x and k
    _field(x, k)                   J, as x is
    _charge(x, k)                  C, (...)
    _pull(x, k)                    theta.J, (...)
    _spread(x, h, k)               mean over the samples of D2C[h, h]
    _trace(x, Sigma, k)            Tr[Sigma D2C]
    _modes(x, kind, noise, k)      mu, t = (n.theta)^2, s = n.Sigma n, each (..., n)
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from numeric._module_states import FLAT, NAMED


PUBLIC: Mapping[str, str] = MappingProxyType(
    {
        "generator": '''\
def generator(theta{constants}):
    """Return J(theta), in the form of theta.

    theta is flat, (..., n), or a mapping name -> (..., *shape); PARAMETERS has the
    names and shapes in order. Leading axes broadcast; dtype and device are kept.
    """
    x, k = _start(theta{passed})
    return _form(_field(x, k), x, theta, k)
''',
        "charge": '''\
def charge(theta{constants}):
    """Return the charge C(theta), (...); its gradient is the generator."""
    return _charge(*_start(theta{passed}))
''',
        "drift": '''\
def drift(theta, Sigma=None, *, gradients=None, sigma2, gamma{more}):
    """Return dC/dt = -2 gamma theta.J + sigma2 Tr[Sigma D2C], (...).

    Sigma is the centred covariance of the per-sample gradients, (..., n, n). Or else
    gradients are those themselves, in a form of theta, with the axis N of the samples
    before the parameter's own; they are centred here, and no n x n matrix is made.
    """
    x, k = _start(theta{passed})
    kind, noise = _noise(Sigma, gradients, x, k)
    spread = _trace(x, noise, k) if kind == "Sigma" else _spread(x, noise, k)
    return _rate(sigma2, x) * spread - 2.0 * _rate(gamma, x) * _pull(x, k)
''',
        "balance": '''\
def balance(lam, theta, Sigma=None, *, gradients=None, sigma2, gamma{more}):
    """Return G, the drift at exp(lam A) theta, from the noise at theta, (...).

    Sigma or gradients are as in drift, at theta itself; along the orbit the noise is
    exp(-lam A) Sigma exp(-lam A).
    """
    x, k = _start(theta{passed})
    mu, t, s = _modes(x, *_noise(Sigma, gradients, x, k), k)
    turn = _like(lam, _first(x))[..., None]
    return _balanced(turn, mu, t, s, _rate(sigma2, x), _rate(gamma, x))
''',
        "step": '''\
def step(theta, g, *, eta, gamma{more}):
    """Return C((1 - 2 eta gamma) theta - eta g), the charge after a step, (...).

    g is a minibatch gradient of the loss without the decay, in a form of theta.
    """
    x, k = _start(theta{passed})
    rate, decay = _rate(eta, x), _rate(gamma, x)
    return _charge(_moved(x, _read(g, "g", k), 1.0 - 2.0 * rate * decay, rate), k)
''',
    }
)

# Overflow to infinity is what these formulas mean; torch never warns of it.
_QUIET = '@xp.errstate(over="ignore", invalid="ignore")\n'

_NUMPY = {
    "_sum": """\
def _sum(h, axis):
    return xp.add.reduce(h, axis, keepdims=True)
""",
    "_real": """\
def _real(value, what):
    array = xp.asarray(value)
    if array.dtype.kind not in "fbiu":
        raise ValueError(f"{what}: expected real numbers, got {array.dtype}")
    return array if array.dtype.kind == "f" else array.astype(xp.float64)
""",
    "_like": """\
def _like(value, reference):
    return xp.asarray(value, dtype=reference.dtype)
""",
    "_promoted": """\
def _promoted(arrays):
    if len({array.dtype for array in arrays}) == 1:
        return arrays
    dtype = xp.result_type(*(array.dtype for array in arrays))
    return [array.astype(dtype, copy=False) for array in arrays]
""",
    "_dot_samples": '''\
def _dot_samples(a, b):
    """Return the sum over the samples of that of a * b, each (..., N, r, c)."""
    return xp.einsum("...nij,...nij->...", a, b)
''',
    "_stacked": '''\
def _stacked(a):
    """Return the matrices of all samples below each other, (..., N * r, c)."""
    return a.reshape((*a.shape[:-3], -1, a.shape[-1]))
''',
    "_beside": '''\
def _beside(a):
    """Return the matrices of all samples side by side, (..., r, N * c)."""
    turned = a.swapaxes(-3, -2)
    return turned.reshape((*turned.shape[:-2], -1))
''',
    "_is_symmetric": """\
def _is_symmetric(array):
    return (array == array.mT).all()
""",
}

_TORCH = {
    "_sum": """\
def _sum(h, axis):
    return h.sum(axis, keepdims=True)
""",
    "_real": """\
def _real(value, what):
    array = xp.as_tensor(value)
    if array.is_complex():
        raise ValueError(f"{what}: expected real numbers, got {array.dtype}")
    return array if array.is_floating_point() else array.to(xp.get_default_dtype())
""",
    "_like": """\
def _like(value, reference):
    return xp.as_tensor(value, dtype=reference.dtype, device=reference.device)
""",
    "_promoted": """\
def _promoted(arrays):
    if len({array.dtype for array in arrays}) == 1:
        return arrays
    dtype = arrays[0].dtype
    for array in arrays:
        dtype = xp.promote_types(dtype, array.dtype)
    return [array.to(dtype) for array in arrays]
""",
    "_dot_samples": '''\
def _dot_samples(a, b):
    """Return the sum over the samples of that of a * b, each (..., N, r, c)."""
    return (a * b).sum((-3, -2, -1))
''',
    "_stacked": '''\
def _stacked(a):
    """Return the matrices of all samples below each other, (..., N * r, c)."""
    return a.flatten(-3, -2)
''',
    "_beside": '''\
def _beside(a):
    """Return the matrices of all samples side by side, (..., r, N * c)."""
    return a.swapaxes(-3, -2).flatten(-2)
''',
    "_is_symmetric": """\
def _is_symmetric(array):
    return xp.equal(array, array.mT)
""",
}

_SHARED = {
    "_parts": '''\
def _parts(value, what, sizes):
    """Return a list with an array (..., *shape) for each parameter."""
    if not hasattr(value, "keys"):
        return _cut(_real(value, what), what, sizes)
    if value.keys() != PARAMETERS.keys():
        raise ValueError(
            f"{what}: expected the names {', '.join(PARAMETERS)}, got "
            f"{', '.join(map(str, value)) or 'none'}"
        )
    return _promoted(
        [
            _part(value[name], f"{what}[{name!r}]", shape, sizes)
            for name, shape in PARAMETERS.items()
        ]
    )
''',
    "_part": '''\
def _part(value, what, shape, sizes):
    """Return an array (..., *shape), and note what the symbols in its shape are."""
    array = _real(value, what)
    every = tuple(array.shape)
    found = every[max(0, len(every) - len(shape)) :]
    fits = len(found) == len(shape)
    for size, got in zip(shape, found):
        if isinstance(size, str):
            size = sizes.setdefault(size, got) if fits else sizes.get(size, got)
        fits = fits and got == size
    if not fits:
        wanted = ", ".join(["...", *(str(sizes.get(size, size)) for size in shape)])
        raise ValueError(
            f"{what}: expected shape ({wanted}), got {every}"
        )
    return array
''',
    "_cut": '''\
def _cut(flat, what, sizes):
    """Return a flat array (..., n) as a list of arrays (..., *shape)."""
    parts, start = [], 0
    total = _total(what, sizes)
    if flat.ndim < 1 or flat.shape[-1] != total:
        raise ValueError(
            f"{what}: expected shape (..., {total}), one entry for each component of "
            f"{', '.join(PARAMETERS)}, got {tuple(flat.shape)}"
        )
    for shape in PARAMETERS.values():
        known = [sizes.get(size, size) for size in shape]
        stop = start + _count(known)
        parts.append(flat[..., start:stop].reshape((*flat.shape[:-1], *known)))
        start = stop
    return parts
''',
    "_total": '''\
def _total(what, sizes):
    """Return n, the length of the flat vector."""
    shapes = [[sizes.get(size, size) for size in s] for s in PARAMETERS.values()]
    free = sorted({size for s in shapes for size in s if isinstance(size, str)})
    if free:
        wanted = ", ".join(
            f"{name} ({', '.join(['...', *map(str, shape)])})"
            for name, shape in PARAMETERS.items()
        )
        raise ValueError(
            f"{what}: expected a mapping with {wanted}, got a flat array, which does "
            f"not tell {', '.join(free)}"
        )
    return sum(map(_count, shapes))
''',
    "_count": """\
def _count(sizes):
    count = 1
    for size in sizes:
        count *= size
    return count
""",
    "_joined": '''\
def _joined(parts):
    """Return a list of arrays (..., *shape) as an array (..., n)."""
    flat = []
    for part, shape in zip(parts, PARAMETERS.values()):
        lead = part.shape[: part.ndim - len(shape)]
        flat.append(part.reshape((*lead, _count(part.shape[len(lead) :]))))
    return _side_by_side(flat)
''',
    "_side_by_side": '''\
def _side_by_side(arrays):
    """Return arrays (..., n_i) broadcast and joined along their last axis."""
    lead = xp.broadcast_shapes(*(tuple(array.shape[:-1]) for array in arrays))
    return xp.concatenate(
        [xp.broadcast_to(array, (*lead, array.shape[-1])) for array in arrays], -1
    )
''',
    "_constants": '''\
def _constants(values, reference, sizes):
    """Return the constants in the order of CONSTANTS."""
    given = {} if values is None else values
    if given.keys() != CONSTANTS.keys():
        missing = [name for name in CONSTANTS if name not in given]
        raise ValueError(
            f"constants: expected a mapping with values for {', '.join(CONSTANTS)}, "
            f"got {', '.join(map(str, given)) or 'none'}"
            + (f"; {', '.join(missing)} missing" if missing else "")
        )
    return tuple(_constant(name, given[name], reference, sizes) for name in CONSTANTS)
''',
    "_constant": '''\
def _constant(name, value, reference, sizes):
    """Return a constant, (...), (..., d) or (..., r, c) as CONSTANTS has it."""
    what = f"constants[{name!r}]"
    array = _like(_real(value, what), reference)
    array = _part(array, what, CONSTANTS[name], sizes)
    return _symmetric(array, what) if name in SYMMETRIC else array
''',
    "_symmetric": '''\
def _symmetric(array, what):
    """Return the array; it may differ from its transpose by rounding."""
    if _is_symmetric(array):
        return array
    room = 4 * array.shape[-1] * xp.finfo(array.dtype).eps * abs(array).max()
    if not (abs(array - array.mT) <= room).all():
        raise ValueError(f"{what}: expected a symmetric matrix")
    return 0.5 * (array + array.mT)
''',
    "_noise": '''\
def _noise(Sigma, gradients, x, k):
    """Return which form of the noise was given, and Sigma or centred gradients."""
    if (Sigma is None) == (gradients is None):
        given = "neither" if Sigma is None else "both"
        raise ValueError(f"expected one of Sigma and gradients, got {given}")
    if gradients is not None:
        return "gradients", _samples(gradients, x, k)
    matrix = _like(_real(Sigma, "Sigma"), _first(x))
    n = _total("Sigma", k[1])
    if tuple(matrix.shape[-2:]) != (n, n):
        raise ValueError(
            f"Sigma: expected shape (..., {n}, {n}), got {tuple(matrix.shape)}"
        )
    return "Sigma", matrix
''',
    "_rate": """\
def _rate(value, x):
    if isinstance(value, (int, float)):
        return float(value)
    return _like(value, _first(x))
""",
    "_balanced": '''\
{quiet}def _balanced(lam, mu, t, s, sigma2, gamma):
    """Return sum mu (sigma2 s exp(-2 lam mu) - 2 gamma t exp(2 lam mu))."""
    turn = 2.0 * lam * mu
    grown = (mu * _turned(s, -turn)).sum(-1)
    pulled = (mu * _turned(t, turn)).sum(-1)
    return _scaled(sigma2, grown) - 2.0 * _scaled(gamma, pulled)
''',
    "_turned": '''\
def _turned(weights, exponents):
    """Return weights * exp(exponents), with 0 * inf = 0."""
    endless = (weights == 0) & xp.isinf(xp.exp(0.5 * exponents))
    half = xp.exp(0.5 * xp.where(endless, 0.0, exponents))
    return weights * half * half  # in two steps: the exponential alone may overflow
''',
    "_scaled": '''\
def _scaled(factor, total):
    """Return factor * total, with 0 * inf = 0."""
    return factor * xp.where((factor == 0) & xp.isinf(total), 0.0, total)
''',
    "_dense_modes": '''\
def _dense_modes(mu, basis, x, kind, noise):
    """Return mu, t and s for eigenvectors of A, and a flat x, (..., n)."""
    mu, basis = _like(_rested(mu), x), _like(basis, x)
    t = (x[..., None, :] @ basis)[..., 0, :] ** 2
    if kind == "Sigma":
        return mu, t, (basis * (noise @ basis)).sum(-2)
    return mu, t, ((noise @ basis) ** 2).mean(-2)
''',
    "_rested": '''\
def _rested(mu):
    """Return eigenvalues (..., n) with 0 for what is only rounding."""
    floor = mu.shape[-1] * xp.finfo(mu.dtype).eps * xp.amax(abs(mu), -1)
    return xp.where(abs(mu) <= floor[..., None], 0.0, mu)
''',
}


def helpers(backend: str, *, flat: bool) -> dict[str, str]:
    """Return name -> text of every helper, in the order of a module.

    Args:
        backend: "numpy" or "torch".
        flat: whether the state is a flat array.

    Returns:
        The texts, those that others need after them.
    """
    own = _NUMPY if backend == "numpy" else _TORCH
    quiet = _QUIET if backend == "numpy" else ""
    every = {**(FLAT if flat else NAMED), **_SHARED, **own}
    return {name: text.replace("{quiet}", quiet) for name, text in every.items()}
