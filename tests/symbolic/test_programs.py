"""Programs of losses: values and gradients, against sympy and against autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import Phase, given, settings

from numeric import compile_loss
from symbolic import (
    Constant,
    DeclarationError,
    Loss,
    ParameterSpace,
    Program,
    catalogue,
    feature_program,
    gradient_program,
    value_program,
)
from symbolic._exact.functions import step
from tests.programs import Problem, evaluated, matrices, problems, split


WEIGHTS = np.array([0.5, 0.3, 0.2])
EPS = np.finfo(np.float64).eps
DRAWN = settings(  # numbers of losses are not simpler where they are smaller
    derandomize=True, deadline=None, phases=[Phase.explicit, Phase.generate]
)


def outcome(
    program: Program, problem: Problem, seed: int = 0, *, minibatch: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values (3,) and gradients (3, n) of a program at three samples."""
    inputs = (
        split(problem, problem.start(1, seed)[0])
        | matrices(problem.data, problem.samples(3, seed))
        | matrices(problem.constants, problem.numbers(seed))
    )
    values = evaluated(program, inputs, WEIGHTS)
    assert minibatch or not any(n.op in ("weight", "total") for n in program.nodes)
    parts = [values[place].reshape(3, -1) for _, place in program.gradient]
    return values[program.value][:, 0, 0], np.concatenate(parts, axis=1)


def agree(found: Any, expected: Any, operations: int = 4000) -> None:
    """Compare up to roundings of so many operations on numbers of order 1.

    Losses drawn have at most some hundred operations; each rounds once, and nothing
    in them amplifies an error by more than a few tens (inverses of K ≥ 1, powers ≤ 2).
    """
    scale = max(1.0, float(np.abs(expected).max()))
    assert np.abs(np.asarray(found) - expected).max() <= operations * EPS * scale


@settings(DRAWN, max_examples=12)
@given(problems())
def test_gradient_equals_autograd(problem: Problem) -> None:
    """Over a weighted minibatch, and of each sample alone, with its value."""
    theta, data = problem.start(1)[0], problem.samples(3)
    expected = problem.gradient(theta, data, problem.numbers())
    both = gradient_program(problem.loss, batch=3)
    value, found = outcome(both, problem)

    for row in found:  # the same for all samples
        agree(row, WEIGHTS @ expected)
    alone = gradient_program(problem.loss, minibatch=False)
    one_value, one = outcome(alone, problem, minibatch=False)
    agree(one, expected)
    agree(value, one_value)


@settings(DRAWN, max_examples=12)
@given(problems(inverses=False))
def test_values_and_gradients_equal_those_of_sympy(problem: Problem) -> None:
    """The loss in components, derived by sympy, with the constants put in."""
    numbers = problem.numbers()
    known: dict[Any, Any] = {}
    for each in problem.loss.constants:
        symbols = np.array(each.components).ravel()
        known |= dict(zip(symbols, np.ravel(numbers[each.name]), strict=True))
    plain = Loss(
        problem.loss.expression.subs(known),
        problem.loss.space,
        dict(problem.data),
    )
    evaluate = compile_loss(plain)
    theta, data = problem.start(1)[0], problem.samples(3)
    program = gradient_program(problem.loss, minibatch=False)
    value, found = outcome(program, problem, minibatch=False)

    agree(value, evaluate.value(theta, data))
    agree(found, evaluate.gradient(theta, data))


@pytest.mark.parametrize("entry", catalogue(), ids=lambda entry: str(entry.name))
def test_catalogue_equals_sympy(entry: Any) -> None:
    """Sympy expressions and texts of every loss of the catalogue."""
    loss = entry.loss
    if loss is None:
        pytest.skip("no loss")
    shapes = {name: loss.space.int_shape(name) for name in loss.space.names}
    data = {name: loss.data.int_shape(name) for name in loss.data.names}
    problem = Problem("", shapes, data)
    for source in (loss, Loss(loss.expression, loss.space, data)):
        program = gradient_program(source, minibatch=False)
        value, found = outcome(program, problem, minibatch=False)
        evaluate = compile_loss(loss)
        theta, samples = problem.start(1)[0], problem.samples(3)
        agree(value, evaluate.value(theta, samples))
        agree(found, evaluate.gradient(theta, samples))


# ------------------------------------------------------------------------------ cost


def sizes(program: Program, op: str) -> list[int]:
    """Return the sizes of the nodes of that kind."""
    return [node.size for node in program.nodes if node.op == op]


def test_a_chain_is_never_multiplied_out() -> None:
    """ABCx goes from the right: vectors, and outer products for the gradient only."""
    space = ParameterSpace(A=(4, 50), B=(50, 40), C=(40, 6))
    loss = Loss("norm2(A*B*C*x - y)", space, {"x": (6,), "y": (4,)})
    program = gradient_program(loss)

    # Three products forward, two back, and three outer products of the gradient.
    outer = [4 * 50, 50 * 40, 40 * 6]
    assert sorted(sizes(program, "product")) == sorted([40, 50, 4, 50, 40, *outer])
    assert max(node.size for node in program.nodes) == 50 * 40


def test_products_of_parameters_come_first_where_a_batch_is_large() -> None:
    """UW (3·2·30 for all samples) pays for a batch, not for one sample."""
    space = ParameterSpace(U=(3, 30), W=(30, 2))
    loss = Loss("norm2(U*W*x - y)", space, {"x": (2,), "y": (3,)})

    def shapes(batch: int) -> set[tuple[int, int]]:
        program = gradient_program(loss, batch=batch)
        return {n.shape for n in program.nodes if n.op == "product" and not n.sampled}

    # UWx: batch·(30·2 + 3·30) from the right; 3·30·2 + batch·3·2 with UW first.
    assert (3, 2) not in shapes(1)
    assert (3, 2) in shapes(2)


def test_a_trace_needs_no_square_matrix() -> None:
    """tr(UW) with U (50 × 2) is a dot of Uᵀ and W."""
    space = ParameterSpace(U=(50, 2), W=(2, 50))
    program = gradient_program(Loss("tr(U*W)*s", space, {"s": ()}))

    assert not sizes(program, "product")
    assert max(node.size for node in program.nodes) == 100


def test_equal_parts_are_computed_once() -> None:
    """tanh(Wx) occurs three times, and is one node."""
    space = ParameterSpace(U=(2, 3), W=(3, 2))
    text = "norm2(U*tanh(W*x)) + norm2(tanh(W*x)) + dot(tanh(W*x), W*x)"
    program = gradient_program(Loss(text, space, {"x": (2,)}))

    names = [node.detail for node in program.nodes if node.op == "function"]
    assert names == ["tanh"]


def test_sums_over_samples_leave_out_what_is_the_same() -> None:
    """Σ w_z c‖b‖² of a loss with one part without data needs no sum of it."""
    space = ParameterSpace(b=(3,), c=())
    program = gradient_program(Loss("c**2*norm2(b) + c*s", space, {"s": ()}))

    totals = [n for n in program.nodes if n.op == "total"]
    assert [n.shape for n in totals] == [(1, 1)]
    problem = Problem("dot(b - x, f)*c", {"b": (3,), "f": (3,), "c": ()}, {"x": (3,)})
    program = gradient_program(problem.loss)
    places = dict(program.gradient)
    assert not any(program.nodes[place].sampled for place in places.values())
    assert program.nodes[places["b"]].op == "times"  # Σ w_z cf = cf
    _, found = outcome(program, problem)
    theta, data = problem.start(1)[0], problem.samples(3)
    agree(found[0], WEIGHTS @ problem.gradient(theta, data))


# ------------------------------------------------------------------ edges and errors


@pytest.mark.parametrize("name", ["relu", "abs"])
def test_derivative_at_the_kink_is_0(name: str) -> None:
    """Of relu and abs, at 0 exactly, and ±1 beside it."""
    space = ParameterSpace(w=(3,))
    problem = Problem(
        f"dot({name}(w), w) + dot({name}(w), x)", {"w": (3,)}, {"x": (3,)}
    )
    program = gradient_program(
        Loss(f"dot({name}(w), x)", space, {"x": (3,)}), minibatch=False
    )
    inputs = {"w": np.array([[-1.0], [0.0], [1.0]]), "x": np.ones((3, 3, 1))}
    values = evaluated(program, inputs, WEIGHTS)
    (gradient,) = (values[place][0, :, 0] for _, place in program.gradient)

    below = {"relu": 0.0, "abs": -1.0}[name]
    assert gradient.tolist() == [below, 0.0, 1.0]
    assert problem.size == 3


def test_functions_of_sympy() -> None:
    """sign and step, which the language has not, and powers of other numbers."""
    u = sp.Symbol("u")
    loss = Loss(
        sp.sign(u) * u**2 + step(u) * u + 2**u + sp.pi * u, ParameterSpace(u=())
    )
    for at in (-0.7, 0.7):
        inputs = {"u": np.array([[at]])}
        program = gradient_program(loss)
        values = evaluated(program, inputs, np.ones(1))
        (slope,) = (values[place][0, 0, 0] for _, place in program.gradient)

        value = np.sign(at) * at**2 + (at > 0) * at + 2**at + np.pi * at
        agree(values[program.value][0, 0, 0], value)
        agree(slope, 2 * abs(at) + (at > 0) + np.log(2) * 2**at + np.pi)


def test_unknown_functions_are_named() -> None:
    """A sympy function that programs do not have."""
    space = ParameterSpace(u=())
    with pytest.raises(DeclarationError, match=r"expected functions among .*erf"):
        gradient_program(Loss(sp.erf(sp.Symbol("u")) ** 2, space))


def test_symbolic_sizes_are_refused() -> None:
    """Of parameters, data and constants."""
    space = ParameterSpace(U=("m", "d"), W=("d", "n"))
    loss = Loss("norm2(U*W*x - y)", space, {"x": ("n",), "y": ("m",)})
    with pytest.raises(DeclarationError, match="integer"):
        gradient_program(loss)
    fixed = ParameterSpace(u=())
    constants = [Constant("K", ("k", "k"))]
    with pytest.raises(DeclarationError, match="integer sizes for the constant K"):
        value_program("u*tr(K)", fixed, constants)


def test_at_sizes_the_text_is_kept() -> None:
    """A loss declared at symbolic sizes costs at integer ones what its text does."""
    space = ParameterSpace(U=("m", "d"), W=("d", "n"))
    loss = Loss("norm2(U*W*x - y)", space, {"x": ("n",), "y": ("m",)})
    program = gradient_program(loss.at({"m": 2, "d": 9, "n": 3}))

    assert max(sizes(program, "product")) == 27
    assert not sizes(program, "entry")


def test_a_parameter_that_does_not_occur_has_gradient_0() -> None:
    """Of its own shape."""
    space = ParameterSpace(b=(2, 3), c=())
    program = gradient_program(Loss("c**2*s", space, {"s": ()}))
    place = dict(program.gradient)["b"]

    assert program.nodes[place].op == "number"
    assert program.nodes[place].shape == (2, 3)
    assert program.nodes[place].detail == 0


def test_value_program() -> None:
    """The value of an expression with constants; matrices are refused."""
    problem = Problem("", {"U": (2, 3), "c": ()}, {}, {"K": (3, 3)})
    space = ParameterSpace(U=(2, 3), c=())
    program = value_program("tr(U*K*U.T)/3 - c**2", space, [Constant("K", (3, 3))])
    theta, K = problem.start(1)[0], problem.numbers()["K"]
    inputs = split(problem, theta) | {"K": K}
    value = evaluated(program, inputs, np.ones(1))[program.value][0, 0, 0]
    U = theta[:6].reshape(2, 3)

    agree(value, np.trace(U @ K @ U.T) / 3 - theta[6] ** 2)
    assert program.gradient == ()
    with pytest.raises(DeclarationError, match="expected a scalar"):
        value_program("U", space)
    with pytest.raises(DeclarationError, match="Q"):
        value_program("norm2(Q)", space)


# -------------------------------------------------------------------------- features

POLYNOMIALS = [
    Problem("(u*w*x - y)**2", {"u": (), "w": ()}, {"x": (), "y": ()}),
    Problem("norm2(U*W*x - y)", {"U": (1, 2), "W": (2, 2)}, {"x": (2,), "y": (1,)}),
    Problem("(u*x + w)**2 + tanh(u)*y", {"u": (), "w": ()}, {"x": (), "y": ()}),
    Problem("exp(u)*x**3 + w*x + u*w", {"u": (), "w": ()}, {"x": ()}),
    Problem("k*(u*x - 2)**2*K", {"u": ()}, {"x": ()}, {"k": (), "K": ()}),
]


@pytest.mark.parametrize("problem", POLYNOMIALS, ids=lambda p: str(p.text))
def test_features_give_the_gradient_of_polynomials(problem: Problem) -> None:
    """At the weighted mean of the monomials: that of the weighted samples."""
    found = feature_program(problem.loss)
    assert found is not None
    data, theta = problem.samples(3), problem.start(1)[0]
    flat = np.concatenate([a.reshape(3, -1) for a in data.values()], axis=1)
    monomials = np.stack([(flat**k).prod(axis=1) for k in found.exponents], axis=1)
    assert len(set(found.exponents)) == len(found.exponents)
    inputs = (
        split(problem, theta)
        | matrices(problem.constants, problem.numbers())
        | {"features": (WEIGHTS @ monomials)[:, None]}
    )
    values = evaluated(found.program, inputs, np.ones(1))
    gradient = [values[place][0].ravel() for _, place in found.program.gradient]
    expected = WEIGHTS @ problem.gradient(theta, data, problem.numbers())

    agree(np.concatenate(gradient), expected)


@pytest.mark.parametrize(
    "text",
    [
        *("tanh(u*x)", "(u*x - w)**2*sqrt(1 + x**2)", "u**2 + w", "relu(u*x)", "x**2"),
        *("(u + w*x + x**2)**17", "1/(1 + x*u)**2"),
    ],
)
def test_no_features_of_other_losses(text: str) -> None:
    """No polynomials of the data, none with θ, or ones with too many monomials."""
    loss = Loss(text, ParameterSpace(u=(), w=()), {"x": ()})
    found = feature_program(loss)
    if text == "u**2 + w":  # of degree 0: one monomial, 1
        assert found is not None
        assert found.exponents == ((0,),)
        return
    assert found is None
