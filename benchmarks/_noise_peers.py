"""Ways to find Tr[ΣA] of a torch model, A = ±1 on each layer, in other libraries.

Each takes a case and returns a call that gives Tr[ΣA] of one pass over all samples.
Those that yield norms of per-sample gradients give E‖g‖² − ‖ḡ‖², per parameter, which
is all there is to be had from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import nn

from benchmarks._models import Case
from benchmarks._peers import peer
from benchmarks._turns import fastest


Call = Callable[[], float]


def plain(case: Case) -> Callable[[], Any]:
    """Return forward and backward of the loss: what a step of training takes."""
    model, loss = case.model(), case.loss()
    x, y = case.data()
    parameters = list(model.parameters())
    return lambda: torch.autograd.grad(loss(model(x), y), parameters)


def _signed(
    case: Case, model: nn.Module, squares: Mapping[str, torch.Tensor], grads: Any
) -> float:
    """Return Σ_p ± (E‖g_p‖² − ‖ḡ_p‖²) from per-sample squares and summed gradients."""
    total = torch.zeros((), dtype=torch.float64)
    for (name, scale), g in zip(case.scales(model).items(), grads, strict=True):
        mean = squares[name].double().mean()
        total += scale * (mean - (g / case.N).square().sum().double())
    return float(total)


def backpack_l2(case: Case) -> Call:
    """BackPACK's BatchL2Grad: squared norms of per-sample gradients, per parameter."""
    return _backpack(case, "BatchL2Grad", "batch_l2")


def backpack_variance(case: Case) -> Call:
    """BackPACK's Variance: the diagonal of Σ, entry by entry."""
    return _backpack(case, "Variance", "variance")


def _backpack(case: Case, extension: str, attribute: str) -> Call:
    backpack, extensions = peer("backpack"), peer("backpack.extensions")
    model = backpack.extend(case.model())
    loss = case.loss()
    x, y = case.data()
    scales = case.scales(model)
    made = getattr(extensions, extension)

    def call() -> float:
        model.zero_grad()
        with backpack.backpack(made()):
            loss(model(x), y).backward()  # type: ignore[no-untyped-call]
        parameters = dict(model.named_parameters())
        found = {name: getattr(p, attribute) for name, p in parameters.items()}
        if extension == "Variance":
            return sum(scales[n] * float(v.sum()) for n, v in found.items())
        return _signed(case, model, found, [p.grad for p in parameters.values()])

    return call


def opacus_ghost(case: Case) -> Call:
    """Opacus' ghost norms: norms of per-sample gradients from activations."""
    opacus = peer("opacus.grad_sample")
    inner = case.model()
    model = opacus.GradSampleModuleFastGradientClipping(
        inner, loss_reduction="sum", strict=False
    )
    loss = case.loss()
    x, y = case.data()

    def call() -> float:
        model.zero_grad()
        loss(model(x), y).backward()  # type: ignore[no-untyped-call]
        parameters = dict(inner.named_parameters())
        found = {name: p._norm_sample**2 for name, p in parameters.items()}  # type: ignore[attr-defined]
        return _signed(case, inner, found, [p.grad for p in parameters.values()])

    return call


def opacus_samples(case: Case) -> Call:
    """Opacus' GradSampleModule: all per-sample gradients at once."""
    opacus = peer("opacus.grad_sample")
    inner = case.model()
    model = opacus.GradSampleModule(inner, loss_reduction="sum", strict=False)
    loss = case.loss()
    x, y = case.data()

    def call() -> float:
        model.zero_grad()
        loss(model(x), y).backward()  # type: ignore[no-untyped-call]
        parameters = dict(inner.named_parameters())
        found = {
            name: p.grad_sample.flatten(1).square().sum(1)  # type: ignore[attr-defined]
            for name, p in parameters.items()
        }
        value = _signed(case, inner, found, [p.grad for p in parameters.values()])
        for p in parameters.values():
            p.grad_sample = None  # type: ignore[attr-defined]
        return value

    return call


def torch_vmap(case: Case) -> Call:
    """torch.func: vmap of grad over the samples, in the best of some chunks."""
    model, loss = case.model(), case.loss()
    x, y = case.data()
    values = {name: p.detach() for name, p in model.named_parameters()}
    scales = case.scales(model)

    def one(values: Any, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        out = torch.func.functional_call(model, values, (a[None],))
        return loss(out, b[None])

    gradients = torch.func.vmap(torch.func.grad(one), in_dims=(None, 0, 0))

    def call(chunk: int) -> float:
        squares = dict.fromkeys(values, 0.0)
        sums = {name: torch.zeros_like(p) for name, p in values.items()}
        chunks = torch.split(x, chunk), torch.split(y, chunk)
        for a, b in zip(*chunks, strict=True):
            for name, g in gradients(values, a, b).items():
                rows = g.flatten(1)
                norms = torch.linalg.vector_norm(rows, dim=1)
                squares[name] += float(norms.square().sum())
                sums[name] += g.sum(0)
        return sum(
            scales[n] * (squares[n] / case.N - float((sums[n] / case.N).square().sum()))
            for n in values
        )

    options: dict[str, Call] = {
        str(chunk): (lambda chunk=chunk: call(chunk))  # type: ignore[misc]
        for chunk in _chunks(case)
    }
    return fastest(options, trials=1)[1]


def _chunks(case: Case) -> Iterable[int]:
    """Return sizes of chunks to try."""
    return sorted({chunk for chunk in (4, 16, 64, case.N) if chunk <= case.N})


def jax_vmap(case: Case) -> Call:
    """JAX, for linear layers only: vmap of grad in the best of some chunks, jitted."""
    if not case.dense:
        raise NotImplementedError("no version of this model in JAX is written")
    jax = peer("jax")
    jnp = jax.numpy
    jax.config.update("jax_enable_x64", False)
    model = case.model()
    modules = [m for m in model if not isinstance(m, nn.ReLU)]  # type: ignore[attr-defined]
    numbers = [
        {"weight": m.weight.detach().numpy()}
        | ({} if m.bias is None else {"bias": m.bias.detach().numpy()})
        for m in modules
    ]
    signs = [1.0 - 2.0 * (k % 2) for k in range(len(numbers))]
    nonlinear = not case.regression

    def apply(layers: Any, a: Any) -> Any:
        for k, layer in enumerate(layers):
            a = layer["weight"] @ a + layer.get("bias", 0.0)
            if nonlinear and k + 1 < len(layers):
                a = jax.nn.relu(a)
        return a

    def one(layers: Any, a: Any, b: Any) -> Any:
        out = apply(layers, a)
        if case.regression:
            return ((out - b) ** 2).sum()
        return jax.nn.logsumexp(out) - out[b]

    gradients = jax.vmap(jax.grad(one), in_axes=(None, 0, 0))

    def trace(chunk: int) -> Callable[[Any, Any, Any], Any]:
        def run(layers: Any, x: Any, y: Any) -> Any:
            def step(carry: Any, batch: Any) -> tuple[Any, None]:
                g = gradients(layers, *batch)
                squares = jax.tree.map(lambda v: (v**2).sum(), g)
                sums = jax.tree.map(lambda v: v.sum(0), g)
                return jax.tree.map(jnp.add, carry, (squares, sums)), None

            zeros = jax.tree.map(lambda v: jnp.zeros(()), layers)
            empty = jax.tree.map(jnp.zeros_like, layers)
            batches = (
                x.reshape(-1, chunk, *x.shape[1:]),
                y.reshape(-1, chunk, *y.shape[1:]),
            )
            (squares, sums), _ = jax.lax.scan(step, (zeros, empty), batches)
            parts = jax.tree.map(
                lambda q, m: q / case.N - ((m / case.N) ** 2).sum(), squares, sums
            )
            return sum(
                s * sum(jax.tree.leaves(p)) for s, p in zip(signs, parts, strict=True)
            )

        return run

    x, y = (jnp.asarray(part.numpy()) for part in case.data())
    layers = jax.tree.map(jnp.asarray, numbers)
    jitted = {c: jax.jit(trace(c)) for c in _chunks(case) if case.N % c == 0}
    options: dict[str, Call] = {
        str(c): (lambda run=run: float(run(layers, x, y)))  # type: ignore[misc]
        for c, run in jitted.items()
    }
    return fastest(options, trials=1)[1]
