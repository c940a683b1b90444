"""Vectors of eight numbers for compiled kernels.

The compiler vectorizes long loops over plain arrays by itself, but neither the few pixels of a small triangle nor
anything that reads a table at random. Kernels say here what they do to eight pixels at a time: `Floats`, `Ints` and
`Mask` values have Python's operators, and a plain number beside one counts for all eight elements. This runs on every
processor; one with narrower registers needs more instructions for it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from facetalk.core.kernels import FINITE_MATH

LANES = 8
"""Elements of a vector. Arrays whose end is read by vectors need as many elements more."""

STEPS = np.arange(LANES, dtype=np.int32)
"""The number of each element, to be loaded."""


class Vector(types.Type):
    """Type of a vector in a kernel."""

    def __init__(self, element: types.Type, llvm_element: ir.Type) -> None:
        self.element, self.llvm = element, ir.VectorType(llvm_element, LANES)
        super().__init__(name=f"Vector({element})")


FLOATS = Vector(types.float32, ir.FloatType())
INTS = Vector(types.int32, ir.IntType(32))
MASK = Vector(types.boolean, ir.IntType(1))


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(manager, kind, kind.llvm)


def _kind(a: types.Type, b: types.Type) -> Vector | None:
    """Type of the vectors among two operands, if these go together."""
    vectors = {value for value in (a, b) if isinstance(value, Vector)}
    if len(vectors) != 1:
        return None
    kind = vectors.pop()
    plain = types.Integer if kind == INTS else types.Number
    return kind if all(isinstance(value, (Vector, plain)) for value in (a, b)) else None


def filled(context: Any, builder: ir.IRBuilder, value: Any, given: types.Type, kind: Vector) -> Any:
    """A vector whose elements are all the same number; vectors stay what they are."""
    if isinstance(given, Vector):
        return value
    number = context.cast(builder, value, given, kind.element)
    nothing = ir.Constant(kind.llvm, ir.Undefined)
    return shuffled(builder, builder.insert_element(nothing, number, element_index(0)), nothing, [0] * LANES)


def element_index(lane: int) -> ir.Constant:
    """The number of an element, for instructions."""
    return ir.Constant(ir.IntType(32), lane)


def shuffled(builder: ir.IRBuilder, a: Any, b: Any, order: list[int]) -> Any:
    """Elements of both vectors in a new order; those of the second one are counted on."""
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order))


def _define(
    function: Callable[..., Any], instructions: dict[Vector, Callable[..., Any]], result: Vector | None = None
) -> None:
    """Define a binary operator by one instruction per type."""

    def typed(context: Any) -> Callable[..., Vector | None]:
        def typer(a: types.Type, b: types.Type) -> Vector | None:
            kind = _kind(a, b)
            return (result or kind) if kind in instructions else None

        return typer

    def lower(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        kind = _kind(*signature.args)
        assert kind is not None
        a, b = (filled(context, builder, *pair, kind) for pair in zip(values, signature.args, strict=True))
        return instructions[kind](builder, a, b)

    type_callable(function)(typed)
    for operands in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(function, *operands)(lower)


def _compared(sign: str) -> dict[Vector, Callable[..., Any]]:
    return {
        FLOATS: lambda builder, a, b: builder.fcmp_ordered(sign, a, b),
        INTS: lambda builder, a, b: builder.icmp_signed(sign, a, b),
    }


def _chosen(sign: str) -> dict[Vector, Callable[..., Any]]:
    return {
        kind: lambda builder, a, b, compare=compare: builder.select(compare(builder, a, b), a, b)
        for kind, compare in _compared(sign).items()
    }


def least(a: Any, b: Any) -> Any:
    """The smaller elements of two vectors."""
    raise NotImplementedError("for compiled kernels")


def greatest(a: Any, b: Any) -> Any:
    """The larger elements of two vectors."""
    raise NotImplementedError("for compiled kernels")


def fast(make: Callable[..., Any]) -> Callable[..., Any]:
    """An instruction on finite numbers, see `FINITE_MATH`; a product and a sum may become one.

    Each kernel with vectors is compiled as a whole, so that this gives the same result from the cache as fresh.
    """
    return lambda builder, a, b: make(builder, a, b, flags=(*sorted(FINITE_MATH), "contract"))


_make = ir.IRBuilder
for _names, _instructions in {
    (operator.add, operator.iadd): {FLOATS: fast(_make.fadd), INTS: _make.add},
    (operator.sub, operator.isub): {FLOATS: fast(_make.fsub), INTS: _make.sub},
    (operator.mul, operator.imul): {FLOATS: fast(_make.fmul), INTS: _make.mul},
}.items():
    for _operator in _names:
        _define(_operator, _instructions)
_define(operator.truediv, {FLOATS: fast(_make.fdiv)})
_define(operator.and_, {MASK: _make.and_, INTS: _make.and_})
_define(operator.or_, {MASK: _make.or_, INTS: _make.or_})
_define(operator.ior, {MASK: _make.or_, INTS: _make.or_})
_define(operator.lshift, {INTS: _make.shl})
_define(operator.rshift, {INTS: _make.lshr})
for _operator, _sign in {
    operator.lt: "<", operator.le: "<=", operator.gt: ">", operator.ge: ">=", operator.eq: "==", operator.ne: "!=",
}.items():  # fmt: skip
    _define(_operator, _compared(_sign), MASK)
_define(least, _chosen("<"))
_define(greatest, _chosen(">"))


@intrinsic
def pair_sums(typing: Any, a: Any, b: Any) -> Any:
    """The sums of neighbors in two vectors, one after the other: `a[0] + a[1]` to `b[6] + b[7]`."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        a, b = values
        even, odd = (shuffled(builder, a, b, list(range(first, 2 * LANES, 2))) for first in (0, 1))
        return builder.add(even, odd)

    return (INTS(a, b), generate) if a == b == INTS else None


@intrinsic
def select(typing: Any, mask: Any, a: Any, b: Any) -> Any:
    """Elements of `a` where the mask is set, of `b` elsewhere."""
    kind = _kind(a, b)
    if kind is None or mask != MASK:
        return None

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        pairs = zip(values[1:], signature.args[1:], strict=True)
        return builder.select(values[0], *(filled(context, builder, *pair, kind) for pair in pairs))

    return kind(mask, a, b), generate


@intrinsic
def root(typing: Any, vector: Any) -> Any:
    """Square roots."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(FLOATS.llvm, [FLOATS.llvm])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.sqrt.v8f32"), values)

    return (FLOATS(vector), generate) if vector == FLOATS else None


@intrinsic
def truncated(typing: Any, vector: Any) -> Any:
    """Integers, rounded towards zero."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        return builder.fptosi(values[0], INTS.llvm)

    return (INTS(vector), generate) if vector == FLOATS else None


@intrinsic
def bit_patterns(typing: Any, vector: Any) -> Any:
    """The bits of each float as an integer."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], INTS.llvm)

    return (INTS(vector), generate) if vector == FLOATS else None


@intrinsic
def floats(typing: Any, value: Any) -> Any:
    """Floats of integers, or of one number for all elements."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        if signature.args[0] == INTS:
            return builder.sitofp(values[0], FLOATS.llvm)
        return filled(context, builder, values[0], signature.args[0], FLOATS)

    return (FLOATS(value), generate) if value == INTS or isinstance(value, types.Number) else None


@intrinsic
def bits(typing: Any, mask: Any) -> Any:
    """A number whose bit `i` says whether element `i` is set."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        return builder.zext(builder.bitcast(values[0], ir.IntType(LANES)), ir.IntType(64))

    return (types.int64(mask), generate) if mask == MASK else None


@intrinsic
def lowest_bit(typing: Any, number: Any) -> Any:
    """Index of the lowest bit that is set; the number is not zero."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], ir.Constant(ir.IntType(1), 1))

    return (number(number), generate) if isinstance(number, types.Integer) else None
