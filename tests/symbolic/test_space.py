"""Parameter spaces: pack and unpack invert each other; bad declarations are named."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
import sympy as sp
import torch
from hypothesis import given, strategies as st

from symbolic import DeclarationError, ParameterSpace


shapes = st.lists(st.integers(1, 3), max_size=2).map(tuple)
spaces = st.lists(shapes, min_size=1, max_size=4).map(
    lambda drawn: ParameterSpace(dict(zip("abcd", drawn, strict=False)))
)


@given(spaces)
def test_unpack_inverts_pack(space: ParameterSpace) -> None:
    vector = tuple(range(space.size))
    assert space.pack(space.unpack(vector)) == vector


@given(spaces)
def test_symbols_follow_declaration_order_row_major(space: ParameterSpace) -> None:
    names = []
    for name in space:
        for index in np.ndindex(space.int_shape(name)):
            names.append("_".join([name, *map(str, index)]))
    assert [symbol.name for symbol in space.symbols] == names
    assert space.pack({name: space[name] for name in space}) == space.symbols
    assert all(symbol.is_real for symbol in space.symbols)


@given(spaces, st.sampled_from([(), (2,), (3, 1)]))
def test_numpy_round_trip_keeps_leading_axes(
    space: ParameterSpace, lead: tuple[int, ...]
) -> None:
    flat = np.arange(prod(lead) * space.size, dtype=np.float32)
    flat = flat.reshape((*lead, space.size))
    parts = space.unpack(flat)
    for name in space:
        assert parts[name].shape == (*lead, *space.int_shape(name))
    packed = space.pack(parts)
    assert packed.dtype == np.float32
    np.testing.assert_array_equal(packed, flat)


@given(spaces, st.sampled_from([(), (2,)]))
def test_torch_round_trip_is_differentiable(
    space: ParameterSpace, lead: tuple[int, ...]
) -> None:
    flat = torch.arange(prod(lead) * space.size, dtype=torch.float64)
    flat = flat.reshape((*lead, space.size)).requires_grad_()
    packed = space.pack(space.unpack(flat))
    assert torch.equal(packed, flat)
    (gradient,) = torch.autograd.grad((packed * packed).sum(), flat)
    assert torch.equal(gradient, 2 * flat.detach())


def test_array_and_nested_sequences_agree() -> None:
    space = ParameterSpace(W=(2, 3), u=())
    nested = space.pack({"W": [[1, 2, 3], [4, 5, 6]], "u": 7})
    array = space.pack({"W": np.arange(1, 7).reshape(2, 3), "u": np.array(7)})
    assert nested == tuple(array)
    assert space.pack({"W": sp.Matrix([[1, 2, 3], [4, 5, 6]]), "u": 7}) == nested


BAD_NAMES = ("1a", "a b", "", "a-b", "_a", "a\n", "é", "a" * 33)
RESERVED = ("lambda", "rho", "lam", "sigma2", "gamma", "eta", "S", "tanh", "tr")


@pytest.mark.parametrize("name", [*BAD_NAMES, *RESERVED])
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        ParameterSpace({name: ()})
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0,), "expected positive integers or names in the shape of 'a', got 0"),
        ((-1, 2), "got -1"),
        ((True,), "got True"),
        ((2.0,), r"got 2\.0"),
        ((1, 2, 3), "scalar, a vector or a matrix, got 3 axes"),
        (3, r"as a tuple, such as \(\) or \(2, 3\), got 3"),
        ("d", "as a tuple"),
        (("eta",), "'eta' is reserved"),
    ],
)
def test_bad_shapes_are_refused(shape: Any, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        ParameterSpace(a=shape)


@pytest.mark.parametrize(
    "declared",
    [
        {"W": (2,), "W_1": ()},
        {"u": (), "g_u": ()},
        {"u": (), "gbar_u": ()},
        {"a": (), "b_c": (), "a_b": (), "c": ()},
        {"u": (), "w": (), "Sigma_u_w": ()},
    ],
)
def test_colliding_components_are_refused(declared: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError, match=r"twice .*rename one parameter"):
        ParameterSpace(declared)


def test_names_that_merely_look_alike_are_accepted() -> None:
    assert ParameterSpace(a_b=(2,), c_d=(), ab=()).size == 4


def test_symbolic_sizes_wait_for_numbers() -> None:
    space = ParameterSpace(U=("d", 2))
    assert space.has_symbolic_sizes
    with pytest.raises(
        DeclarationError, match=r"'d'.*give a number, such as U=\(2, 2\)"
    ):
        _ = space.size


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"u": 1}, "expected values for u, W, got u"),
        ({"u": 1, "W": [1, 2], "z": 0}, "got u, W, z"),
        ({}, "got none"),
        ({"u": 1, "W": [1, 2, 3]}, r"'W' of shape \(2,\), got 3 entries"),
        ({"u": np.ones(()), "W": np.ones((5, 3))}, r"shape \(..., 2\), got \(5, 3\)"),
    ],
)
def test_pack_names_what_is_wrong(values: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        ParameterSpace(u=(), W=(2,)).pack(values)


@pytest.mark.parametrize("vector", [(1, 2), np.ones((3, 4)), torch.ones(2)])
def test_unpack_checks_the_length(vector: Any) -> None:
    with pytest.raises(DeclarationError, match="flat vector of length 3"):
        ParameterSpace(u=(), W=(2,)).unpack(vector)


def test_unknown_parameter_is_named() -> None:
    with pytest.raises(DeclarationError, match="expected one of u, got 'v'"):
        _ = ParameterSpace(u=())["v"]
