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


def _filled(context: Any, builder: ir.IRBuilder, value: Any, given: types.Type, kind: Vector) -> Any:
    """A vector whose elements are all the same number; vectors stay what they are."""
    if isinstance(given, Vector):
        return value
    number = context.cast(builder, value, given, kind.element)
    nothing = ir.Constant(kind.llvm, ir.Undefined)
    return _shuffled(builder, builder.insert_element(nothing, number, _index(0)), nothing, [0] * LANES)


def _index(value: int) -> ir.Constant:
    return ir.Constant(ir.IntType(32), value)


def _shuffled(builder: ir.IRBuilder, a: Any, b: Any, order: list[int]) -> Any:
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
        a, b = (_filled(context, builder, *pair, kind) for pair in zip(values, signature.args, strict=True))
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


def _fast(make: Callable[..., Any]) -> Callable[..., Any]:
    """An instruction on finite numbers; a product and a sum may become one instruction, see `FINITE_MATH`."""
    return lambda builder, a, b: make(builder, a, b, flags=(*sorted(FINITE_MATH), "contract"))


_make = ir.IRBuilder
for _names, _instructions in {
    (operator.add, operator.iadd): {FLOATS: _fast(_make.fadd), INTS: _make.add},
    (operator.sub, operator.isub): {FLOATS: _fast(_make.fsub), INTS: _make.sub},
    (operator.mul, operator.imul): {FLOATS: _fast(_make.fmul), INTS: _make.mul},
}.items():
    for _operator in _names:
        _define(_operator, _instructions)
_define(operator.truediv, {FLOATS: _fast(_make.fdiv)})
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


def _pointer(context: Any, builder: ir.IRBuilder, kind: types.Array, array: Any, index: Any, target: ir.Type) -> Any:
    """Address of an element of a flat array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), target.as_pointer())


def _as_index(context: Any, builder: ir.IRBuilder, value: Any, kind: types.Type) -> Any:
    return context.cast(builder, value, kind, types.intp)


def _vector_of(array: types.Type) -> Vector | None:
    flat = isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C"
    return {types.float32: FLOATS, types.int32: INTS}.get(array.dtype) if flat else None


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """Eight elements of a flat float32 or int32 array, from `index` on."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        index = _as_index(context, builder, values[1], signature.args[1])
        place = _pointer(context, builder, signature.args[0], values[0], index, signature.return_type.llvm)
        return builder.load(place, align=4)

    kind = _vector_of(array)
    return None if kind is None else (kind(array, index), generate)


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Overwrite eight elements of a flat float32 or int32 array, from `index` on."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        index = _as_index(context, builder, values[1], signature.args[1])
        place = _pointer(context, builder, signature.args[0], values[0], index, signature.args[2].llvm)
        builder.store(values[2], place, align=4)
        return context.get_dummy_value()

    return (types.void(array, index, vector), generate) if _vector_of(array) == vector else None


@intrinsic
def load_mask(typing: Any, array: Any, index: Any) -> Any:
    """Which of eight elements of a flat uint8 array, from `index` on, are not zero."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        index, kind = _as_index(context, builder, values[1], signature.args[1]), ir.VectorType(ir.IntType(8), LANES)
        loaded = builder.load(_pointer(context, builder, signature.args[0], values[0], index, kind), align=1)
        return builder.icmp_unsigned("!=", loaded, ir.Constant(kind, [0] * LANES))

    return (MASK(array, index), generate) if array.dtype == types.uint8 else None


@intrinsic
def store_bytes(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Overwrite eight elements of a flat uint8 array, from `index` on, with the lowest bytes of integers."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        index, kind = _as_index(context, builder, values[1], signature.args[1]), ir.VectorType(ir.IntType(8), LANES)
        place = _pointer(context, builder, signature.args[0], values[0], index, kind)
        builder.store(builder.trunc(values[2], kind), place, align=1)
        return context.get_dummy_value()

    return (types.void(array, index, vector), generate) if array.dtype == types.uint8 and vector == INTS else None


_BYTES = ir.VectorType(ir.IntType(8), 3 * LANES)
"""Red, green and blue of eight pixels."""


@intrinsic
def load_pixels(typing: Any, image: Any, index: Any) -> Any:
    """Eight pixels of a flat RGB image from `index` on, each as red + 256 green + 65536 blue."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        index = _as_index(context, builder, values[1], signature.args[1])
        index = builder.mul(index, index.type(3))
        packed = builder.load(_pointer(context, builder, signature.args[0], values[0], index, _BYTES), align=1)
        nothing = ir.Constant(_BYTES, [0] * 3 * LANES)
        order = [3 * i + c if c < 3 else 3 * LANES for i in range(LANES) for c in range(4)]
        return builder.bitcast(_shuffled(builder, packed, nothing, order), INTS.llvm)

    return (INTS(image, index), generate) if image.dtype == types.uint8 else None


@intrinsic
def store_pixels(typing: Any, image: Any, index: Any, colors: Any) -> Any:
    """Overwrite eight pixels of a flat RGB image, from `index` on."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        index = _as_index(context, builder, values[1], signature.args[1])
        index = builder.mul(index, index.type(3))
        spread = builder.bitcast(values[2], ir.VectorType(ir.IntType(8), 4 * LANES))
        packed = _shuffled(builder, spread, spread, [4 * i + c for i in range(LANES) for c in range(3)])
        builder.store(packed, _pointer(context, builder, signature.args[0], values[0], index, _BYTES), align=1)
        return context.get_dummy_value()

    return (types.void(image, index, colors), generate) if image.dtype == types.uint8 else None


@intrinsic
def gather(typing: Any, table: Any, numbers: Any, width: Any, column: Any) -> Any:
    """One column of a table of integers, at the rows with eight numbers.

    Args:
        typing: numba's.
        table: flat array.
        numbers: of the rows.
        width: elements of a row.
        column: of the table.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        kind, result = signature.args[0].dtype, ir.Constant(INTS.llvm, ir.Undefined)
        for lane in range(LANES):
            place = _element(context, builder, signature.args[0], values, lane, context.get_value_type(kind))
            value = context.cast(builder, builder.load(place), kind, types.int32)
            result = builder.insert_element(result, value, _index(lane))
        return result

    fits = isinstance(table.dtype, types.Integer) and numbers == INTS
    return (INTS(table, numbers, types.int64, types.int64), generate) if fits else None


@intrinsic
def rows(typing: Any, table: Any, numbers: Any, width: Any, column: Any) -> Any:
    """Eight columns of a table of floats, at the rows with eight numbers: a vector for each column.

    Args:
        typing: numba's.
        table: flat float32 array.
        numbers: of the rows.
        width: elements of a row.
        column: first of the eight columns.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        places = [_element(context, builder, signature.args[0], values, lane, FLOATS.llvm) for lane in range(LANES)]
        found = [builder.load(place, align=4) for place in places]
        return context.make_tuple(builder, signature.return_type, _transposed(builder, found))

    fits = _vector_of(table) == FLOATS and numbers == INTS
    return (_EIGHT_FLOATS(table, numbers, types.int64, types.int64), generate) if fits else None


@intrinsic
def mixed_rows(typing: Any, table: Any, numbers: Any, weights: Any, width: Any, column: Any) -> Any:
    """Like `rows`, for weighted sums of several rows.

    Args:
        typing: numba's.
        table: flat float32 array.
        numbers: tuple of vectors.
        weights: tuple of as many vectors.
        width: elements of a row.
        column: first of the eight columns.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        table, (array, *given, width, column) = signature.args[0], values
        numbers, weights = (cgutils.unpack_tuple(builder, value) for value in given)
        sums = []
        for lane in range(LANES):
            total = None
            for number, weight in zip(numbers, weights, strict=True):
                place = _element(context, builder, table, (array, number, width, column), lane, FLOATS.llvm)
                share = _shuffled(builder, weight, weight, [lane] * LANES)
                part = _fast(_make.fmul)(builder, share, builder.load(place, align=4))
                total = part if total is None else _fast(_make.fadd)(builder, total, part)
            sums.append(total)
        return context.make_tuple(builder, signature.return_type, _transposed(builder, sums))

    fits = _vector_of(table) == FLOATS and all(
        isinstance(value, types.UniTuple) and value.dtype == kind
        for value, kind in ((numbers, INTS), (weights, FLOATS))
    )
    return (_EIGHT_FLOATS(table, numbers, weights, types.int64, types.int64), generate) if fits else None


_EIGHT_FLOATS = types.UniTuple(FLOATS, LANES)


def _element(context: Any, builder: ir.IRBuilder, table: types.Array, values: Any, lane: int, target: ir.Type) -> Any:
    """Address in a table (the table, numbers of rows, width, column) for one lane."""
    array, numbers, width, column = values
    number = builder.sext(builder.extract_element(numbers, _index(lane)), ir.IntType(64))
    return _pointer(context, builder, table, array, builder.add(builder.mul(number, width), column), target)


@intrinsic
def pair_sums(typing: Any, a: Any, b: Any) -> Any:
    """The sums of neighbors in two vectors, one after the other: `a[0] + a[1]` to `b[6] + b[7]`."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        even, odd = (_shuffled(builder, *values, list(range(first, 2 * LANES, 2))) for first in (0, 1))
        return builder.add(even, odd)

    return (INTS(a, b), generate) if a == b == INTS else None


def _transposed(builder: ir.IRBuilder, rows: list[Any]) -> list[Any]:
    """Columns of a matrix of 8 x 8: pairs of elements, then of pairs, then of halves change places."""
    halves = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]
    singles = [0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15]
    pairs = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
    one = [_shuffled(builder, rows[i], rows[i + 1], order) for i in (0, 2, 4, 6) for order in singles]
    two = [_shuffled(builder, one[i], one[i + 2], order) for i in (0, 1, 4, 5) for order in pairs]
    return [_shuffled(builder, two[i], two[i + 4], order) for order in halves for i in range(4)]


@intrinsic
def select(typing: Any, mask: Any, a: Any, b: Any) -> Any:
    """Elements of `a` where the mask is set, of `b` elsewhere."""
    kind = _kind(a, b)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        pairs = zip(values[1:], signature.args[1:], strict=True)
        return builder.select(values[0], *(_filled(context, builder, *pair, kind) for pair in pairs))

    return None if kind is None or mask != MASK else (kind(mask, a, b), generate)


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
        return _filled(context, builder, values[0], signature.args[0], FLOATS)

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
