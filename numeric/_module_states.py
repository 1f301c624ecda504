"""The helpers of a compiled module that depend on what its state x is."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType


# Where x is a flat array.
FLAT: Mapping[str, str] = MappingProxyType(
    {
        "_first": """\
def _first(x):
    return x
""",
        "_read": '''\
def _read(value, what, k):
    """Return a flat array of either form."""
    if hasattr(value, "keys"):
        return _joined(_parts(value, what, k[1]))
    array = _real(value, what)
    _cut(array, what, k[1])
    return array
''',
        "_form": '''\
def _form(values, x, theta, k):
    """Return J in the form of theta."""
    if not hasattr(theta, "keys"):
        return values
    return dict(zip(PARAMETERS, _cut(values, "J", k[1])))
''',
        "_samples": '''\
def _samples(gradients, x, k):
    """Return centred gradients, (..., N, n)."""
    h = _like(_read(gradients, "gradients", k), x)
    if h.ndim < 2 or h.shape[-2] == 0:
        raise ValueError(
            f"gradients: expected shape (..., N, {x.shape[-1]}) with N >= 1 samples, "
            f"got {tuple(h.shape)}"
        )
    return h - h.mean(-2)[..., None, :]
''',
        "_moved": '''\
def _moved(x, g, kept, rate):
    """Return kept * theta - rate * g."""
    return _column(kept) * x - _column(rate) * _like(g, x)
''',
        "_column": """\
def _column(value):
    return value if isinstance(value, float) else value[..., None]
""",
        "_run": '''\
def _run(function, arrays):
    """Return the values of a generated function of arrays (...), (..., m)."""
    lead = xp.broadcast_shapes(*(tuple(array.shape) for array in arrays))
    values = [_like(value, arrays[0]) for value in function(xp, *arrays)]
    return xp.stack([xp.broadcast_to(value, lead) for value in values], -1)
''',
        "_arguments": """\
def _arguments(x, k):
    return [*(x[..., i] for i in range(x.shape[-1])), *k[0]]
""",
    }
)

# Where x is a list of arrays (..., *shape).
NAMED: Mapping[str, str] = MappingProxyType(
    {
        "_first": """\
def _first(x):
    return x[0]
""",
        "_read": '''\
def _read(value, what, k):
    """Return an array (..., *shape) for each parameter, of either form."""
    return _parts(value, what, k[1])
''',
        "_form": '''\
def _form(values, x, theta, k):
    """Return J in the form of theta, with the leading axes of all its parts."""
    flat = _joined(values)
    leads = [p.shape[: p.ndim - len(s)] for p, s in zip(x, PARAMETERS.values())]
    lead = xp.broadcast_shapes(*(tuple(a) for a in (flat.shape[:-1], *leads)))
    if lead != flat.shape[:-1]:
        flat = xp.broadcast_to(flat, (*lead, flat.shape[-1]))
    if not hasattr(theta, "keys"):
        return flat
    return dict(zip(PARAMETERS, _cut(flat, "J", k[1])))
''',
        "_samples": '''\
def _samples(gradients, x, k):
    """Return centred gradients, (..., N, *shape) for each parameter."""
    parts = _read(gradients, "gradients", k)
    centred, n = [], None
    for part, (name, shape) in zip(parts, PARAMETERS.items()):
        h, axis = _like(part, x[0]), -1 - len(shape)
        found = h.shape[axis] if h.ndim >= -axis else 0
        n = n or found
        if found != n or not found:
            raise ValueError(
                f"gradients[{name!r}]: expected an axis of N >= 1 samples before the "
                f"shape, the same N for each parameter, got {tuple(h.shape)}"
            )
        centred.append(h - _sum(h, axis) / n)
    return centred
''',
        "_moved": '''\
def _moved(x, g, kept, rate):
    """Return kept * theta - rate * g."""
    return [
        _column(kept, shape) * part - _column(rate, shape) * _like(push, part)
        for part, push, shape in zip(x, g, PARAMETERS.values())
    ]
''',
        "_column": """\
def _column(value, shape):
    if isinstance(value, float):
        return value
    return value.reshape((*value.shape, *(1 for _ in shape)))
""",
        "_zero": '''\
def _zero(parts, samples):
    """Return 0, (...), for arrays (..., *shape), with an axis of samples or without."""
    total = 0.0
    for part, shape in zip(parts, PARAMETERS.values()):
        axes = tuple(range(-len(shape) - samples, 0))
        total = total + 0.0 * (part.sum(axes) if axes else part)
    return total
''',
        "_mean_inner": '''\
def _mean_inner(a, b):
    """Return the mean over the samples of <a, b>, lists of arrays (..., N, *shape)."""
    total = 0.0
    for one, two, shape in zip(a, b, PARAMETERS.values()):
        total = total + (one * two).sum(tuple(range(-1 - len(shape), 0)))
    return total / a[0].shape[-1 - len(next(iter(PARAMETERS.values())))]
''',
        "_hessian": '''\
def _hessian(x, k):
    """Return D2C on the flat vector, (..., n, n), from n directions."""
    n = _total("theta", k[1])
    unit = _cut(_like(xp.eye(n), x[0]), "theta", k[1])
    return _joined(_tangent(x, unit, k))
''',
        "_trace": """\
def _trace(x, Sigma, k):
    return (Sigma * _hessian(x, k)).sum((-2, -1))
""",
        "_gathered": '''\
def _gathered(*modes):
    """Return mu, t and s of all parameters, (..., n)."""
    mu, t, s = (_side_by_side(arrays) for arrays in zip(*modes))
    return _rested(mu), t, s
''',
        "_sided": '''\
def _sided(p, h, scale, left, right):
    """Return mu, t and s, (..., r * c), for J = scale p + left p + p right."""
    mu = _like(scale, p)[..., None, None]
    if left is not None:
        values, basis = xp.linalg.eigh(left)
        p, h = basis.mT @ p, basis.mT[..., None, :, :] @ h
        mu = mu + values[..., :, None]
    if right is not None:
        values, basis = xp.linalg.eigh(right)
        p, h = p @ basis, h @ basis[..., None, :, :]
        mu = mu + values[..., None, :]
    mu = xp.broadcast_to(mu, (*mu.shape[:-2], *p.shape[-2:]))
    arrays = (mu, p * p, (h * h).mean(-3))
    return [a.reshape((*a.shape[:-2], a.shape[-2] * a.shape[-1])) for a in arrays]
''',
    }
)
