"""`noise_equilibrium` of torch tensors: values, devices, gradients of both orders."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from numeric import noise_equilibrium


F64 = torch.float64


def draw(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.rand(shape, dtype=F64, generator=torch.Generator().manual_seed(seed))


def arguments(n: int = 4) -> tuple[Tensor, ...]:
    """Return arguments that broadcast to (3, 2), both signs in each row."""
    mu = (draw((3, 1, n), 1) + 0.2) * torch.tensor([1.0, -1.0] * (n // 2))
    s, t = draw((2, n), 2) + 0.1, draw((n,), 3) + 0.1
    return mu, s, t, draw((3, 1), 4) + 0.1, draw((), 5) + 0.1


def solve(mu: Any, s: Any, t: Any, sigma2: Any, gamma: Any) -> Tensor:
    found: Tensor = noise_equilibrium(mu, s, t, sigma2=sigma2, gamma=gamma)
    return found


def numbers(tensors: tuple[Tensor, ...]) -> list[Any]:
    return [tensor.detach().numpy() for tensor in tensors]


def test_values_are_those_of_numpy() -> None:
    """To the bit, with few rows and with many."""
    for count in (1, 50):
        mu, s, t, sigma2, gamma = arguments()
        s = s.repeat(count, 1)
        found = solve(mu, s, t, sigma2, gamma)
        mu_, s_, t_, sigma2_, gamma_ = numbers((mu, s, t, sigma2, gamma))
        wanted = noise_equilibrium(mu_, s_, t_, sigma2=sigma2_, gamma=gamma_)

        assert found.shape == (3, 2 * count)
        np.testing.assert_array_equal(found.numpy(), wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_types_are_kept(dtype: torch.dtype) -> None:
    """Rounded once, from float64; numbers and arrays do not widen tensors."""
    mu, s, t, _, _ = (a.to(dtype) for a in arguments())
    found = noise_equilibrium(mu, s, t.double().numpy(), sigma2=0.25, gamma=0.5)
    wide = noise_equilibrium(
        mu.double(), s.double(), t.double(), sigma2=0.25, gamma=0.5
    )

    assert found.dtype == dtype
    assert torch.equal(found, wide.to(dtype))
    mixed = noise_equilibrium(mu, s.double(), t, sigma2=0.25, gamma=0.5)
    assert mixed.dtype == F64
    whole = noise_equilibrium(torch.tensor([1, -1]), [3, 1], [0, 0], sigma2=1, gamma=0)
    assert whole.dtype == F64


def test_numbers_are_doubles() -> None:
    """0.1 is not rounded to float32 on the way; reversed views and booleans too."""
    mu, s, t, _, _ = arguments()
    found = noise_equilibrium(mu, s, t.numpy()[::-1], sigma2=0.1, gamma=0.3)
    mu_, s_, t_ = numbers((mu, s, t))
    wanted = noise_equilibrium(mu_, s_, t_[::-1], sigma2=0.1, gamma=0.3)

    np.testing.assert_array_equal(found.numpy(), wanted)
    with pytest.raises(
        ValueError, match="gamma: expected real numbers, got dtype bool"
    ):
        noise_equilibrium(mu, s, t, sigma2=0.1, gamma=True)


def test_one_tensor_anywhere_makes_a_tensor() -> None:
    """Also only γ, with a graph."""
    gamma = torch.tensor(0.3, dtype=F64, requires_grad=True)
    found = solve([1.0, -1.0], [3.0, 1.0], [1.0, 2.0], 0.5, gamma)
    found.backward()  # type: ignore[no-untyped-call]

    # e^{4λ} = (σ²s₊ + 2γt₋)/(σ²s₋ + 2γt₊)
    up, down = 0.5 * 3 + 0.6 * 2, 0.5 + 0.6
    assert abs(found.item() - np.log(up / down) / 4) < 1e-15
    assert gamma.grad is not None
    assert abs(gamma.grad.item() - (4 / up - 2 / down) / 4) < 1e-14


@pytest.mark.parametrize("n", [2, 4])
def test_gradients_of_both_orders(n: int) -> None:
    """Against finite differences, through broadcasts, for all five arguments."""
    given = tuple(a.clone().requires_grad_() for a in arguments(n))

    assert torch.autograd.gradcheck(solve, given)
    assert torch.autograd.gradgradcheck(solve, given)


def test_gradient_where_terms_leave_the_floats() -> None:
    """Products of 1e±200: dλ/d ln s = 1/4 for one term on each side."""
    s = torch.tensor([1e-200, 1e200], dtype=F64, requires_grad=True)
    lam = solve(torch.tensor([1.0, -1.0], dtype=F64), s, [0.0, 0.0], 1e-150, 0.0)
    (slope,) = torch.autograd.grad(lam, s)

    np.testing.assert_allclose((slope * s).detach(), [0.25, -0.25], rtol=1e-12)


def test_overflowing_gradients_stay_in_their_rows() -> None:
    """dλ/ds = 1/(4s) is infinite for the first row, which the sum does not contain."""
    s = torch.tensor([[5e-324, 1e300], [3.0, 1.0]], dtype=F64, requires_grad=True)
    lam = solve(torch.tensor([1.0, -1.0], dtype=F64), s, [0.0, 0.0], 1.0, 0.0)
    (slope,) = torch.autograd.grad(lam[1], s, retain_graph=True)
    (other,) = torch.autograd.grad(lam[0], s)

    wanted = np.array([[0.0, 0.0], [1 / 12, -0.25]])
    np.testing.assert_allclose(slope.numpy(), wanted, rtol=1e-14)
    assert other[0, 0] == torch.inf


def test_gradients_are_zero_where_nothing_is_finite() -> None:
    """±inf and nan: 0 into every argument, of both orders; others are untouched."""
    mu = torch.tensor([[1.0, -1.0], [1, 1], [-1, -1], [0, 0]], dtype=F64)
    mu, s = mu.requires_grad_(), torch.ones(4, 2, dtype=F64, requires_grad=True)
    lam = solve(mu, s * torch.tensor([3.0, 1.0]), [0.0, 0.0], 1.0, 0.0)
    first = torch.autograd.grad(lam.nan_to_num(0, 0, 0).sum() + lam[0], [mu, s])
    direct = torch.autograd.grad(
        solve(mu, s, [0.0, 0.0], 1.0, 0.0).sum(), [mu, s], create_graph=True
    )
    second = torch.autograd.grad(
        torch.stack([(g**2).sum() for g in direct]).sum(), [mu, s]
    )

    assert torch.equal(
        lam.detach()[1:3], torch.tensor([torch.inf, -torch.inf]).double()
    )
    assert lam[3].isnan()
    for gradient in (*first, *direct, *second):
        assert (gradient[1:] == 0).all()
        assert gradient.isfinite().all()
    np.testing.assert_allclose(first[1][0], [0.5, -0.5], rtol=1e-14)


def test_descends_to_a_wanted_equilibrium() -> None:
    """An optimiser through λ*: log γ for which λ* = 0.1."""
    log_gamma = torch.tensor(0.0, dtype=F64, requires_grad=True)
    mu, s, t, sigma2, _ = arguments()
    for _ in range(40):
        lam = solve(mu[0, 0], s[0], t, sigma2[0, 0], log_gamma.exp())
        (slope,) = torch.autograd.grad(lam, log_gamma)
        with torch.no_grad():
            log_gamma -= ((lam - 0.02) / slope).clamp(-1, 1)

    assert abs(lam.item() - 0.02) < 1e-12


def test_empty_rows_and_sums() -> None:
    """No rows, and no terms, with a backward pass."""
    for shape in ((0, 3), (2, 0)):
        mu = torch.ones(shape, dtype=F64, requires_grad=True)
        lam = solve(mu, torch.ones(shape), torch.ones(shape), 1.0, 1.0)
        lam.sum().backward()  # type: ignore[no-untyped-call]
        assert lam.shape == shape[:1]
        assert mu.grad is not None
        assert mu.grad.shape == shape


@pytest.mark.parametrize(
    ("name", "bad", "message"),
    [
        ("mu", torch.tensor([1.0, torch.nan]), "mu: expected finite"),
        ("s", torch.tensor([1.0, -1.0]), "s: expected numbers >= 0"),
        (
            "t",
            torch.tensor([True, False]),
            "t: expected real numbers, got dtype torch.b",
        ),
        ("mu", torch.tensor([1j, 1]), "mu: expected real numbers, got dtype torch.c"),
        ("gamma", torch.tensor(-1.0), "gamma: .* negative weight decay"),
        ("s", torch.ones(3), r"one n, got .*\(3,\)"),
        ("gamma", torch.ones(3, 1), None),
        ("s", torch.ones(4, 2), "broadcast together"),
        ("s", torch.tensor(1.0), r"expected shapes \(\.\.\., n\)"),
        ("s", torch.ones(2, device="meta"), "one device, got .*cpu.*meta"),
    ],
)
def test_rejects_bad_tensors(name: str, bad: Tensor, message: str | None) -> None:
    """The messages of arrays; also with one shape that fits."""
    given: dict[str, Any] = {k: torch.ones(2) for k in ("mu", "s", "t")}
    given |= {"sigma2": torch.ones(3), "gamma": 0.5, name: bad}
    if message is None:
        assert solve(**given).shape == (3, 3)
        return
    with pytest.raises(ValueError, match=message):
        solve(**given)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu() -> None:
    """The device is kept, and the gradients are those of the processor."""
    here = [a.clone().requires_grad_() for a in arguments()]
    there = [a.detach().cuda().requires_grad_() for a in here]
    lam, far = solve(*here), solve(*there)

    assert far.is_cuda
    np.testing.assert_allclose(far.detach().cpu(), lam.detach(), rtol=1e-12)
    both = zip(
        torch.autograd.grad(lam.sum(), here),
        torch.autograd.grad(far.sum(), there),
        strict=True,
    )
    for wanted, found in both:
        np.testing.assert_allclose(found.cpu(), wanted, rtol=1e-10)


def test_numpy_users_do_not_wait_for_torch() -> None:
    """The solvers do not import torch until a tensor comes."""
    code = (
        "import sys; from numeric import noise_equilibrium; "
        "noise_equilibrium([1, -1], [1, 2], [0, 0], sigma2=1, gamma=0); "
        "print({'torch', 'numeric._equilibria.tensors'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "set()"
