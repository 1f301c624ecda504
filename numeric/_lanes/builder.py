r"""A kernel under construction: vectors of lanes, loops, arrays.

A kernel treats as many independent problems at once as a vector has lanes: lane l of
every vector belongs to problem l. A vector is 64 bytes: 16 lanes of float32, 8 of
float64. Machines with narrower registers split it, which hides latency.

Arithmetic follows IEEE 754 but for one thing: a product and a sum may be contracted
to one rounding. NaN and infinity keep their meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numeric._lanes.compiler import AVAILABLE, INTEGER, POINTER, Compiled, compile_text


if AVAILABLE:
    from llvmlite import ir


BYTES = 64  # of a vector
ON_STACK = 128  # vectors; larger arrays are in memory that the caller brings
SCRATCH = "scratch"  # the name of that argument
_CONTRACT = ("contract",)


def lanes(dtype: str) -> int:
    """Return how many numbers of that type a vector holds."""
    return {"float32": 16, "float64": 8}[dtype]


def aligned(size: int) -> NDArray[np.uint8]:
    """Return so many bytes that begin at a multiple of a vector's."""
    memory = np.empty(size + BYTES, dtype=np.uint8)
    return memory[-memory.ctypes.data % BYTES :][: max(size, 1)]


class Kernel:
    """A function of LLVM's language, written by calling the methods.

    Args:
        name: of the function.
        dtype: "float32" or "float64".
        arguments: name → its kind, in order.
        width: the number L of lanes; that of one vector if None.

    Attributes:
        name, dtype, width: the same.
        arguments: name → the argument's value; reals are scalars of `dtype`.
        ir: the builder beneath, for what has no method here.
        real, vector: the types of one number and of L.
        word, words: the types of one 32-bit integer and of L.
        scratch: bytes of the argument "scratch" that are in use.
    """

    def __init__(
        self,
        name: str,
        dtype: str,
        arguments: Mapping[str, str],
        width: int | None = None,
    ) -> None:
        self.name, self.dtype, self.width = name, dtype, width or lanes(dtype)
        self.kinds = tuple(arguments.values())
        self.real = ir.FloatType() if dtype == "float32" else ir.DoubleType()
        self.vector = ir.VectorType(self.real, self.width)
        self.word = ir.IntType(32)
        self.words = ir.VectorType(self.word, self.width)
        self.flags = ir.VectorType(ir.IntType(1), self.width)
        self.size = ir.IntType(64)
        self._pointer = ir.PointerType()
        self._module = ir.Module(name=name)
        types = {POINTER: self._pointer, INTEGER: self.size}
        signature = [types.get(kind, ir.DoubleType()) for kind in self.kinds]
        function = ir.Function(
            self._module, ir.FunctionType(ir.VoidType(), signature), name
        )
        self._function = function
        self._entry = function.append_basic_block("entry")
        self.ir = ir.IRBuilder(function.append_basic_block("body"))
        self.arguments = {
            key: self._narrowed(value)
            for key, value in zip(arguments, function.args, strict=True)
        }
        for argument, kind in zip(function.args, self.kinds, strict=True):
            if kind == POINTER:
                argument.add_attribute("noalias")
        self._functions: dict[str, Any] = {}
        self.scratch = 0

    def _narrowed(self, argument: Any) -> Any:
        if argument.type == ir.DoubleType() and self.dtype == "float32":
            return self.ir.fptrunc(argument, self.real)
        return argument

    def compile(self) -> Compiled:
        """Close the function and compile it.

        Returns:
            The compiled function; the kernel cannot be written to any more.
        """
        self.ir.ret_void()
        ir.IRBuilder(self._entry).branch(self._function.blocks[1])
        return compile_text(str(self._module), self.name, self.kinds, self.scratch)

    @contextmanager
    def precision(self, dtype: str) -> Iterator[None]:
        """Compute in another type of number in the block, with as many lanes."""
        saved = self.dtype, self.real, self.vector
        self.dtype = dtype
        self.real = ir.FloatType() if dtype == "float32" else ir.DoubleType()
        self.vector = ir.VectorType(self.real, self.width)
        yield
        self.dtype, self.real, self.vector = saved

    # ------------------------------------------------------------------- numbers

    def number(self, value: float) -> Any:
        """Return a vector of one constant."""
        text = ir.Constant(self.real, float(value))
        return ir.Constant(self.vector, [text] * self.width)

    def numbers(self, values: Sequence[float]) -> Any:
        """Return the vector of these constants."""
        texts = [ir.Constant(self.real, float(value)) for value in values]
        return ir.Constant(self.vector, texts)

    def index(self, value: int) -> Any:
        """Return a constant of 64 bits, as indices and counts are."""
        return ir.Constant(self.size, value)

    def integer(self, value: int) -> Any:
        """Return a vector of one 32-bit constant."""
        return ir.Constant(self.words, [ir.Constant(self.word, value)] * self.width)

    def splat(self, scalar: Any) -> Any:
        """Return a vector with the same number in each lane."""
        kind = ir.VectorType(scalar.type, self.width)
        empty = ir.Constant(kind, ir.Undefined)
        first = self.ir.insert_element(empty, scalar, ir.Constant(self.word, 0))
        zeros = ir.Constant(ir.VectorType(self.word, self.width), None)
        return self.ir.shuffle_vector(first, empty, zeros)

    def lane(self, vector: Any, place: Any) -> Any:
        """Return the number in one lane, an int or a value."""
        if isinstance(place, int):
            place = ir.Constant(self.word, place)
        return self.ir.extract_element(vector, place)

    def gathered(self, numbers: list[Any]) -> Any:
        """Return the vector with these numbers in its lanes."""
        kind = ir.VectorType(numbers[0].type, self.width)
        vector = ir.Constant(kind, ir.Undefined)
        for place, number in enumerate(numbers):
            at = ir.Constant(self.word, place)
            vector = self.ir.insert_element(vector, number, at)
        return vector

    def shuffled(self, x: Any, y: Any, places: list[int]) -> Any:
        """Return the numbers in some places of x, followed by y, as a vector."""
        kind = ir.VectorType(self.word, len(places))
        mask = ir.Constant(kind, [ir.Constant(self.word, place) for place in places])
        return self.ir.shuffle_vector(x, y, mask)

    # ---------------------------------------------------------------- arithmetic

    def add(self, x: Any, y: Any) -> Any:
        """Return x + y."""
        return self.ir.fadd(x, y, flags=_CONTRACT)

    def sub(self, x: Any, y: Any) -> Any:
        """Return x − y."""
        return self.ir.fsub(x, y, flags=_CONTRACT)

    def mul(self, x: Any, y: Any) -> Any:
        """Return xy."""
        return self.ir.fmul(x, y, flags=_CONTRACT)

    def div(self, x: Any, y: Any) -> Any:
        """Return x/y."""
        return self.ir.fdiv(x, y, flags=_CONTRACT)

    def neg(self, x: Any) -> Any:
        """Return −x."""
        return self.ir.fneg(x)

    def fma(self, x: Any, y: Any, z: Any) -> Any:
        """Return xy + z, rounded once where the machine can."""
        return self.intrinsic("fmuladd", x, y, z)

    def sqrt(self, x: Any) -> Any:
        """Return √x, NaN for x < 0."""
        return self.intrinsic("sqrt", x)

    def absolute(self, x: Any) -> Any:
        """Return |x|."""
        return self.intrinsic("fabs", x)

    def larger(self, x: Any, y: Any) -> Any:
        """Return x where x > y, else y; y where either is NaN."""
        return self.select(self.compare(">", x, y), x, y)

    def smaller(self, x: Any, y: Any) -> Any:
        """Return x where x < y, else y; y where either is NaN."""
        return self.select(self.compare("<", x, y), x, y)

    def compare(self, relation: str, x: Any, y: Any) -> Any:
        """Return a flag for each lane; false where either is NaN."""
        return self.ir.fcmp_ordered(relation, x, y)

    def select(self, flag: Any, x: Any, y: Any) -> Any:
        """Return x where the flag is set, else y."""
        return self.ir.select(flag, x, y)

    def intrinsic(self, name: str, *values: Any) -> Any:
        """Call LLVM's own function of that name on vectors (or scalars) of reals."""
        kind = values[0].type
        bits = "f32" if self.dtype == "float32" else "f64"
        count = f"v{self.width}" if isinstance(kind, ir.VectorType) else ""
        full = f"llvm.{name}.{count}{bits}"
        if full not in self._module.globals:
            types = [value.type for value in values]
            ir.Function(self._module, ir.FunctionType(kind, types), full)
        return self.ir.call(self._module.globals[full], values)

    def any(self, flags: Any) -> Any:
        """Return a scalar flag: whether a lane's flag is set."""
        bits = self.ir.bitcast(flags, ir.IntType(self.width))
        return self.ir.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    def polynomial(self, x: Any, coefficients: list[float]) -> Any:
        """Return Σ c_k x^k by Horner's rule, c_0 first."""
        total = self.number(coefficients[-1])
        for c in reversed(coefficients[:-1]):
            total = self.fma(total, x, self.number(c))
        return total

    # -------------------------------------------------------------------- memory

    def local(self, count: int, kind: Any = None) -> Any:
        """Return a pointer to `count` vectors (or other values) of the kernel's own."""
        if count > ON_STACK and SCRATCH in self.arguments:
            return self._scratch(count * self._align(kind or self.vector))
        with self._at_entry():
            place = self.ir.alloca(kind or self.vector, count)
        place.align = BYTES
        return place

    def _scratch(self, size: int) -> Any:
        """Return a pointer to so many bytes of the argument `SCRATCH`."""
        start, byte = self.scratch, ir.IntType(8)
        self.scratch += -(-size // BYTES) * BYTES
        with self._at_entry():
            return self.ir.gep(
                self.arguments[SCRATCH], [self.index(start)], source_etype=byte
            )

    def load(self, pointer: Any, place: Any, kind: Any = None) -> Any:
        """Return vector number `place` of an own array (arguments are not aligned)."""
        kind = kind or self.vector
        address = self._address(pointer, place, kind)
        return self.ir.load(address, align=self._align(kind), typ=kind)

    def store(self, pointer: Any, place: Any, value: Any) -> None:
        """Write vector number `place`."""
        address = self._address(pointer, place, value.type)
        self.ir.store(value, address, align=self._align(value.type))

    def load_at(self, pointer: Any, place: Any) -> Any:
        """Return the vector whose first number is number `place`, at any address."""
        address = self._address(pointer, place, self.real)
        return self.ir.load(address, align=self._align(self.real), typ=self.vector)

    def store_at(self, pointer: Any, place: Any, value: Any) -> None:
        """Write a vector whose first number is number `place`, at any address."""
        address = self._address(pointer, place, self.real)
        self.ir.store(value, address, align=self._align(self.real))

    def load_words(self, pointer: Any, place: Any) -> Any:
        """Return the vector of words whose first is number `place`, at any address."""
        address = self._address(pointer, place, self.word)
        return self.ir.load(address, align=4, typ=self.words)

    def read(self, pointer: Any, place: Any) -> Any:
        """Return number `place` of an array, a scalar."""
        address = self._address(pointer, place, self.real)
        return self.ir.load(address, align=self._align(self.real), typ=self.real)

    def load_number(self, pointer: Any, place: Any) -> Any:
        """Return number `place` of an array of 64-bit integers."""
        address = self._address(pointer, place, self.size)
        return self.ir.load(address, align=8, typ=self.size)

    def read_row(self, pointer: Any, place: Any, count: int) -> Any:
        """Return `count` numbers from number `place` on, as a short vector."""
        address = self._address(pointer, place, self.real)
        kind = ir.VectorType(self.real, count)
        return self.ir.load(address, align=self._align(self.real), typ=kind)

    def write(self, pointer: Any, place: Any, number: Any) -> None:
        """Write a scalar to number `place` of an array."""
        address = self._address(pointer, place, self.real)
        if not address.type.is_opaque:  # an own array's
            address = self.ir.bitcast(address, self._pointer)
        self.ir.store(number, address, align=self._align(self.real))

    def _address(self, pointer: Any, place: Any, kind: Any) -> Any:
        if isinstance(place, int):
            place = self.index(place)
        return self.ir.gep(pointer, [place], source_etype=kind)

    def _align(self, kind: Any) -> int:
        one = kind.element if isinstance(kind, ir.VectorType) else kind
        count = kind.count if isinstance(kind, ir.VectorType) else 1
        return count * (4 if one in (ir.FloatType(), self.word) else 8)

    # --------------------------------------------------------------------- loops

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int = 1) -> Iterator[Any]:
        """Repeat the block with an index from `start` (an int or a value) to `stop`."""
        start, stop = (
            self.index(v) if isinstance(v, int) else v for v in (start, stop)
        )
        with self._at_entry():
            counter = self.ir.alloca(self.size)
        self.ir.store(start, counter)
        test = self.ir.append_basic_block("test")
        body = self.ir.append_basic_block("loop")
        after = self.ir.append_basic_block("after")
        self.ir.branch(test)
        self.ir.position_at_end(test)
        i = self.ir.load(counter, typ=self.size)
        self.ir.cbranch(self.ir.icmp_signed("<", i, stop), body, after)
        self.ir.position_at_end(body)
        yield i
        self.ir.store(self.ir.add(i, self.index(step)), counter)
        self.ir.branch(test)
        self.ir.position_at_end(after)

    @contextmanager
    def loop_while(self) -> Iterator[Callable[[Any], None]]:
        """Repeat the block; calling what is yielded with a false flag ends it.

        The call must be made once, at the top level of the block; what follows it in
        the block is run only when the flag was true.

        Yields:
            What takes the flag.
        """
        body = self.ir.append_basic_block("while")
        after = self.ir.append_basic_block("done")
        self.ir.branch(body)
        self.ir.position_at_end(body)

        def unless(flag: Any) -> None:
            more = self.ir.append_basic_block("more")
            self.ir.cbranch(flag, more, after)
            self.ir.position_at_end(more)

        yield unless
        self.ir.branch(body)
        self.ir.position_at_end(after)

    def variable(self, value: Any) -> Variable:
        """Return a variable, which loops may change."""
        with self._at_entry():
            place = self.ir.alloca(value.type)
        self.ir.store(value, place)
        return Variable(self, place, value.type)

    @contextmanager
    def _at_entry(self) -> Iterator[None]:
        block = self.ir.block
        self.ir.position_at_end(self.ir.function.blocks[0])
        yield
        self.ir.position_at_end(block)

    # ----------------------------------------------------------------- functions

    def shared(self, name: str, write: Callable[..., Any], *values: Any) -> Any:
        """Return write(*values), as a call of one function that all uses share.

        Args:
            name: of the function; the same name must mean the same code.
            write: takes as many values and returns one, or a tuple, by the methods of
                this kernel.
            values: the arguments.

        Returns:
            The result.
        """
        if name not in self._functions:
            self._functions[name] = self._written(name, write, values)
        function, count = self._functions[name]
        result = self.ir.call(function, values)
        if count is None:
            return result
        return tuple(self.ir.extract_value(result, place) for place in range(count))

    def _written(
        self, name: str, write: Callable[..., Any], values: Any
    ) -> tuple[Any, int | None]:
        """Return the function, and how many values it returns, None for one alone.

        The type of the result is known only when the code is: it is written twice.
        """
        outer, kinds = self.ir, [value.type for value in values]
        trial = ir.Function(ir.Module(), ir.FunctionType(ir.VoidType(), kinds), "trial")
        trial.append_basic_block("entry")
        self.ir = ir.IRBuilder(trial.append_basic_block("body"))
        found = write(*trial.args)
        many = isinstance(found, tuple)
        if many:
            kind = ir.LiteralStructType([value.type for value in found])
        else:
            kind = found.type
        function = ir.Function(self._module, ir.FunctionType(kind, kinds), name)
        function.linkage = "internal"
        function.append_basic_block("entry")
        body = function.append_basic_block("body")
        self.ir = ir.IRBuilder(body)
        result = write(*function.args)
        if many:
            packed = ir.Constant(kind, ir.Undefined)
            for place, value in enumerate(result):
                packed = self.ir.insert_value(packed, value, place)
            result = packed
        self.ir.ret(result)
        ir.IRBuilder(function.blocks[0]).branch(body)
        self.ir = outer
        return function, len(found) if many else None


class Variable:
    """A value that a kernel's loops change."""

    def __init__(self, kernel: Kernel, place: Any, kind: Any) -> None:
        self._kernel, self._place, self._kind = kernel, place, kind

    def get(self) -> Any:
        """Return the value it has now."""
        return self._kernel.ir.load(self._place, typ=self._kind)

    def set(self, value: Any) -> None:
        """Give it another value."""
        self._kernel.ir.store(value, self._place)
