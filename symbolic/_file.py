"""Declaration files: TOML that is read as data, every mistake reported at once."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import sympy as sp
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from symbolic._claim_table import ClaimSchema
from symbolic._constants import Constant
from symbolic._declaration import Declaration
from symbolic._errors import DeclarationError
from symbolic._language.components import interpret
from symbolic._language.interpreter import nearest
from symbolic._language.words import interpret_words, space_words
from symbolic._loss import Loss
from symbolic._space import ParameterSpace, check_name
from symbolic._symmetry import Symmetry
from symbolic._words.applied import Table
from symbolic._words.polynomial import matrix


MAX_BYTES = 64 * 1024
MAX_COMPONENTS = 40  # of all parameters, of all data: beyond, words of matrices
MAX_SIZE = 10**9
MAX_NAMES = 100  # in a table
MAX_CLAIMS = 50  # and conditions of one
_DOTTED = re.compile(  # keys of 9 parts: tomllib takes quadratic time on longer ones
    r"""(?<![\w-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){8}"""
)
_T = TypeVar("_T")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # `_unknown` reports them


class _Constant(_Strict):
    assume: Literal["real", "positive", "negative", "nonnegative", "nonzero"] = "real"
    shape: list[StrictInt | StrictStr] = Field(default=[], max_length=2)
    symmetric: bool = False


class _SymmetryTable(_Strict):
    transformation: dict[str, StrictStr] | None = None
    generator: dict[str, StrictStr] | None = None
    matrix: list[list[StrictStr | StrictInt]] | None = None


class _LossTable(_Strict):
    expression: StrictStr


class _File(_Strict):
    schema_: StrictInt = Field(alias="schema", ge=1, le=1)
    name: StrictStr = Field(max_length=200)
    parameters: dict[str, list[StrictInt | StrictStr]] = Field(min_length=1)
    data: dict[str, list[StrictInt | StrictStr]] = {}
    dimensions: dict[str, Annotated[StrictInt, Field(ge=1)] | Literal["symbol"]] = {}
    constants: dict[str, _Constant] = {}
    symmetry: _SymmetryTable
    loss: _LossTable | None = None
    claim: list[ClaimSchema] = Field(default=[], max_length=MAX_CLAIMS)


def load(path: str | Path) -> Declaration:
    """Return the declaration a TOML file makes.

    The file is data: whatever it holds, no code of it runs, and no string of it reaches
    sympy's parser.

    Args:
        path: the file; see the README for its keys.

    Returns:
        The declaration; where a size is a symbol, or there are more than 40 components,
        in words of matrices.

    Raises:
        DeclarationError: naming every mistake with its key, and where in an expression
            it stands.
        OSError: where the file cannot be read.
    """
    raw = Path(path).read_bytes()
    if len(raw) > MAX_BYTES:
        raise DeclarationError(
            f"{path}: expected at most {MAX_BYTES} bytes, got {len(raw)}"
        )
    try:
        return loads(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DeclarationError(
            f"{path}: expected UTF-8, got byte 0x{raw[error.start]:02x} at position "
            f"{error.start}"
        ) from None
    except DeclarationError as error:
        raise DeclarationError(f"{path}: {error}") from None


def loads(text: str) -> Declaration:
    """Return the declaration of a TOML text; `load` reads it from a file.

    Args:
        text: the text.

    Returns:
        The declaration.

    Raises:
        DeclarationError: naming every mistake.

    >>> loads('''
    ... schema = 1
    ... name = "cubic rescaling"
    ... [parameters]
    ... u = []
    ... v = []
    ... [symmetry]
    ... matrix = [["1", "0"], ["0", "-2"]]
    ... ''').symmetry.generator
    (u, -2*v)
    """
    if _DOTTED.search(text):
        raise DeclarationError("expected TOML: keys have at most 8 parts")
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also integers of 4301 digits
        raise DeclarationError(f"expected TOML: {error}") from None
    if isinstance(table.get("claim"), dict):
        table["claim"] = [table["claim"]]  # [claim] is a [[claim]] that is alone
    unknown = _unknown(table)
    try:
        file = _File.model_validate(table)
    except ValidationError as error:
        said = [*unknown, *map(_said, error.errors())]
        raise DeclarationError("\n".join(dict.fromkeys(said))) from None
    return _Reader(file, unknown).declaration()


class _Reader:
    """Builds the declaration and collects what is wrong on the way."""

    def __init__(self, file: _File, wrong: list[str]) -> None:
        self._file = file
        self._wrong = list(wrong)
        self._matrices = False

    def declaration(self) -> Declaration:
        file = self._file
        self._check_names()
        self._stop()
        self._check_sizes()
        self._stop()
        space = self._try("parameters", lambda: self._space(file.parameters))
        sample = self._try("data", lambda: self._space(file.data))
        constants = self._constants()
        self._stop()
        assert space is not None
        assert sample is not None
        if not self._matrices:
            self._try("", self._check_components)
            self._stop()
        symmetry = self._attempt(lambda: self._symmetry(space, constants))
        loss = self._attempt(lambda: self._loss(space, sample, constants))
        self._stop()
        assert symmetry is not None
        claims = tuple(each.plain() for each in file.claim)
        return Declaration(file.name, space, symmetry, loss, claims)

    def _check_names(self) -> None:
        """Check every declared name, and that none is declared twice."""
        file, seen = self._file, dict[str, str]()
        if not file.name.isprintable():
            self._wrong.append("name: expected printable characters only")
        tables = ("dimensions", "parameters", "data", "constants")
        for table in tables:
            for name in getattr(file, table):
                self._try(f"{table}.{_printable(name)}", partial(check_name, name))
                if name in seen:
                    self._wrong.append(
                        f"{table}.{_printable(name)}: expected a name of its own, it "
                        f"is in {seen[name]} too"
                    )
                seen[name] = table

    def _space(self, shapes: Mapping[str, list[int | str]]) -> ParameterSpace:
        sizes = {name: self._shape(name, shape) for name, shape in shapes.items()}
        return ParameterSpace(sizes)

    def _shape(self, name: str, shape: list[int | str]) -> tuple[int | str, ...]:
        return tuple(self._size(name, size) for size in shape)

    def _size(self, name: str, size: int | str) -> int | str:
        known = self._file.dimensions
        if isinstance(size, str):
            if size not in known:
                raise DeclarationError(
                    f"unknown dimension {size!r} in the shape of {name}"
                    f"{nearest(size, known)}; declare it under [dimensions]"
                )
            value = known[size]
            return size if isinstance(value, str) else value
        return size

    def _check_sizes(self) -> None:
        """Check every shape, and find out whether to work in words of matrices."""
        file = self._file
        constants = {name: c.shape for name, c in file.constants.items()}
        tables = {
            "parameters": file.parameters,
            "data": file.data,
            "constants": constants,
        }
        for table, shapes in tables.items():
            count: float = 0
            if len(shapes) > MAX_NAMES:
                self._wrong.append(
                    f"{table}: expected at most {MAX_NAMES} names, got {len(shapes)}"
                )
                continue
            for name, shape in shapes.items():
                where = f"{table}.{name}"
                count += self._try(where, partial(self._count, name, shape)) or 0
            self._matrices |= count > MAX_COMPONENTS

    def _count(self, name: str, shape: list[int | str]) -> float:
        """Return the number of components, infinite where a size is a symbol.

        Raises:
            DeclarationError: for sizes that are none.
        """
        sizes = self._shape(name, shape)
        numbers = [size for size in sizes if isinstance(size, int)]
        if any(size < 1 for size in numbers):
            raise DeclarationError("expected positive sizes")
        if any(size > MAX_SIZE for size in numbers):
            raise DeclarationError(f"expected sizes up to {MAX_SIZE}; use a symbol")
        if len(sizes) > 2:
            raise DeclarationError(
                f"expected a scalar, a vector or a matrix, got {len(sizes)} axes"
            )
        return prod(numbers) if len(numbers) == len(sizes) else math.inf

    def _check_components(self) -> None:
        """Check that no two symbols, given or derived, have one name."""
        file = self._file
        constants = {name: c.shape for name, c in file.constants.items()}
        self._space(file.parameters | file.data | constants)

    def _constants(self) -> tuple[Constant, ...]:
        found = []
        for name, declared in self._file.constants.items():
            where = f"constants.{name}"
            found.append(self._try(where, partial(self._constant, name, declared)))
        return tuple(constant for constant in found if constant is not None)

    def _constant(self, name: str, declared: _Constant) -> Constant:
        shape = self._shape(name, declared.shape)
        return Constant(name, shape, declared.assume, declared.symmetric)

    def _symmetry(
        self, space: ParameterSpace, constants: tuple[Constant, ...]
    ) -> Symmetry | None:
        table = self._file.symmetry
        given = [key for key in _KINDS if getattr(table, key) is not None]
        if len(given) != 1:
            raise DeclarationError(
                f"symmetry: expected exactly one of {', '.join(_KINDS)}, got "
                f"{' and '.join(given) or 'none'}"
            )
        key = given[0]
        if table.matrix is not None:
            return self._exponential(space, table.matrix, constants)
        texts: dict[str, str] = getattr(table, key)
        for name, text in texts.items():
            where = f"symmetry.{key}.{_printable(name)}"
            if name not in space.names:
                self._wrong.append(
                    f"{where}: expected a parameter{nearest(name, space.names)}"
                )
                continue
            more = ["rho"] if key == "transformation" else []
            values = self._names(space, constants, more)
            self._try("", partial(self._interpret, text, values, where))
        self._stop()
        build = (
            Symmetry.from_transformation
            if key == "transformation"
            else Symmetry.from_generator
        )
        return self._try(
            f"symmetry.{key}",
            lambda: build(space, texts, constants=constants, matrices=self._matrices),
        )

    def _exponential(
        self,
        space: ParameterSpace,
        matrix: list[list[str | int]],
        constants: tuple[Constant, ...],
    ) -> Symmetry | None:
        if self._matrices:
            raise DeclarationError(
                f"symmetry.matrix: expected integer sizes and at most "
                f"{MAX_COMPONENTS} components; declare J by its parts under generator"
            )
        n, lengths = space.size, [len(row) for row in matrix]
        if lengths != [n] * n:
            raise DeclarationError(
                f"symmetry.matrix: expected {n} rows of {n} entries, on the flat "
                f"vector ({', '.join(map(str, space.symbols))}), got "
                f"{len(lengths)} rows of {str(lengths)[:40]} entries"
            )
        known = {each.name: each.components for each in constants}
        rows = [
            [self._entry(i, j, entry, known) for j, entry in enumerate(row)]
            for i, row in enumerate(matrix)
        ]
        self._stop()
        return self._try("symmetry", lambda: _linear(space, rows))

    def _entry(
        self, i: int, j: int, entry: int | str, constants: Mapping[str, Any]
    ) -> Any:
        where = f"symmetry.matrix, row {i + 1}, entry {j + 1}"
        text = _brief(entry) if isinstance(entry, int) else entry
        return self._try("", lambda: interpret(text, constants, where))

    def _names(
        self,
        space: ParameterSpace,
        constants: tuple[Constant, ...],
        more: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Return what names stand for, at the level that the sizes ask for."""
        if self._matrices:
            values = space_words(space) | {each.name: each.words for each in constants}
            return values | {name: matrix(name, 1, 1) for name in more}
        values = {name: space[name] for name in space.names}
        values |= {each.name: each.components for each in constants}
        return values | {name: sp.Symbol(name, real=True) for name in more}

    def _interpret(self, text: str, values: Mapping[str, Any], where: str) -> Any:
        if self._matrices:
            return interpret_words(text, values, Table(), where)
        return interpret(text, values, where)

    def _loss(
        self,
        space: ParameterSpace,
        sample: ParameterSpace,
        constants: tuple[Constant, ...],
    ) -> Loss | None:
        table = self._file.loss
        if table is None:
            return None
        text, where = table.expression, "loss.expression"
        values = self._names(space, constants)
        values |= (
            space_words(sample, data=True)
            if self._matrices
            else {name: sample[name] for name in sample.names}
        )
        if self._try("", lambda: self._interpret(text, values, where)) is None:
            return None
        shapes = dict(sample.items)
        return self._try(
            where,
            lambda: Loss(text, space, shapes, constants, matrices=self._matrices),
        )

    def _attempt(self, action: Callable[[], _T]) -> _T | None:
        """Return what a whole table gives; note its mistakes beside those before."""
        before, self._wrong = self._wrong, []
        result = self._try("", action)
        self._wrong = before + self._wrong
        return result

    def _try(self, where: str, action: Callable[[], _T]) -> _T | None:
        """Return what the action gives; note what is wrong where it fails."""
        try:
            return action()
        except DeclarationError as error:
            self._wrong.append(f"{where}: {error}" if where else str(error))
            return None

    def _stop(self) -> None:
        """Raise what was noted so far.

        Raises:
            DeclarationError: where anything was.
        """
        if self._wrong:
            noted, self._wrong = list(dict.fromkeys(self._wrong)), []
            raise DeclarationError("\n".join(noted))


def _linear(space: ParameterSpace, rows: list[list[Any]]) -> Symmetry:
    """Return J = Aθ, of kind "exponential" where A is symmetric, else "linear"."""
    A = sp.ImmutableDenseMatrix(rows)
    if A == A.T:
        return Symmetry.exponential(space, A)
    J = space.unpack(tuple(A * sp.Matrix(space.symbols)))
    return Symmetry.from_generator(space, J)


_KINDS = ("transformation", "generator", "matrix")


def _unknown(table: Mapping[str, Any]) -> list[str]:
    """Return the keys the format does not have, in words."""
    found = _strangers("", table, [f.alias or n for n, f in _File.model_fields.items()])
    models: dict[str, type[BaseModel]] = {
        "symmetry": _SymmetryTable,
        "loss": _LossTable,
    }
    for key, model in models.items():
        if isinstance(table.get(key), dict):
            found += _strangers(f"{key}.", table[key], list(model.model_fields))
    constants = table.get("constants")
    if isinstance(constants, dict):
        for name, declared in constants.items():
            if isinstance(declared, dict):
                where = f"constants.{_printable(name)}."
                found += _strangers(where, declared, list(_Constant.model_fields))
    claims = table.get("claim")
    for i, claim in enumerate(claims if isinstance(claims, list) else []):
        if isinstance(claim, dict):
            found += _strangers(f"claim.{i}.", claim, list(ClaimSchema.model_fields))
    return found


def _strangers(where: str, table: Mapping[str, Any], known: list[str]) -> list[str]:
    return [
        f"{where}{_printable(key)}: unknown key, expected one of {', '.join(known)}"
        for key in table
        if key not in known
    ]


def _said(error: Any) -> str:
    """Return one finding of the schema in words."""
    loc = list(error["loc"])
    if len(loc) > 2 and loc[-1] in _BRANCHES:
        del loc[-1]
    path = [_printable(str(part)) for part in loc]
    where = ".".join(path) or "the file"
    if error["type"] == "missing":
        return f"{where}: missing"
    shown = _brief(error.get("input"))
    message = error["msg"][0].lower() + error["msg"][1:]
    return f"{where}: {message}, got {shown}"


def _printable(name: str) -> str:
    """Return the beginning of a name, safe to print on a terminal."""
    return "".join(c if c.isprintable() else "?" for c in name[:40])


def _brief(value: object) -> str:
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # integers of 4301 digits, deep arrays
        return f"a {type(value).__name__} too large to print"
    return shown if len(shown) <= 60 else f"{shown[:57]}…"


_BRANCHES = frozenset({"int", "str", "literal['symbol']"})
