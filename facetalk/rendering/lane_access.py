"""What kernels with vectors read and write: neighbors in arrays, pixels, and rows of tables; see `lanes`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from facetalk.rendering.lanes import FLOATS, INTS, LANES, MASK, Vector, fast, filled, shuffled


def _pointer(context: Any, builder: ir.IRBuilder, kind: types.Array, array: Any, index: Any, target: ir.Type) -> Any:
    """Address of an element of a flat array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), target.as_pointer())


def _as_index(context: Any, builder: ir.IRBuilder, value: Any, kind: types.Type) -> Any:
    return context.cast(builder, value, kind, types.intp)


def _vector_of(array: Any) -> Vector | None:
    if isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C":
        return {types.float32: FLOATS, types.int32: INTS}.get(array.dtype)
    return None


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
        return builder.bitcast(shuffled(builder, packed, nothing, order), INTS.llvm)

    return (INTS(image, index), generate) if image.dtype == types.uint8 else None


@intrinsic
def store_pixels(typing: Any, image: Any, index: Any, colors: Any) -> Any:
    """Overwrite eight pixels of a flat RGB image, from `index` on."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        index = _as_index(context, builder, values[1], signature.args[1])
        index = builder.mul(index, index.type(3))
        spread = builder.bitcast(values[2], ir.VectorType(ir.IntType(8), 4 * LANES))
        packed = shuffled(builder, spread, spread, [4 * i + c for i in range(LANES) for c in range(3)])
        builder.store(packed, _pointer(context, builder, signature.args[0], values[0], index, _BYTES), align=1)
        return context.get_dummy_value()

    return (types.void(image, index, colors), generate) if image.dtype == types.uint8 else None


@intrinsic
def rows(typing: Any, table: Any, places: Any, at: Any, column: Any) -> Any:
    """Eight columns of eight rows of a table of floats: a vector for each column.

    Args:
        typing: numba's.
        table: flat float32 array.
        places: flat int32 array with the place of each row's first element in the table.
        at: index of the first of the eight places.
        column: first of the eight columns.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        (table, places, at, column), (kind, place_kind, *_) = values, signature.args
        found = [
            _row(context, builder, (kind, table), _number(context, builder, place_kind, places, index), column)
            for index in _lane_indices(builder, at)
        ]
        return context.make_tuple(builder, signature.return_type, _transposed(builder, found))

    fits = _vector_of(table) == FLOATS and _vector_of(places) == INTS
    return (_EIGHT_FLOATS(table, places, types.int64, types.int64), generate) if fits else None


@intrinsic
def mixed_rows(typing: Any, table: Any, places: Any, weights: Any, at: Any, column: Any) -> Any:
    """Like `rows`, for weighted sums of several rows.

    The weights are read from memory too: that takes one instruction for each, where the elements of a vector take two.

    Args:
        typing: numba's.
        table: flat float32 array, or flat uint16 array whose elements count as floats.
        places: tuple of flat int32 arrays.
        weights: tuple of as many flat float32 arrays.
        at: index of the first of the eight places and weights.
        column: first of the eight columns.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        (table, *given, at, column), (kind, place_kind, weight_kind, *_) = values, signature.args
        pairs = list(zip(*(cgutils.unpack_tuple(builder, value) for value in given), strict=True))
        sums = []
        for index in _lane_indices(builder, at):
            total = None
            for places, weights in pairs:
                weight = builder.load(_pointer(context, builder, weight_kind.dtype, weights, index, ir.FloatType()))
                share = filled(context, builder, weight, types.float32, FLOATS)
                place = _number(context, builder, place_kind.dtype, places, index)
                part = fast(ir.IRBuilder.fmul)(builder, share, _row(context, builder, (kind, table), place, column))
                total = part if total is None else fast(ir.IRBuilder.fadd)(builder, total, part)
            sums.append(total)
        return context.make_tuple(builder, signature.return_type, _transposed(builder, sums))

    fits = (_vector_of(table) == FLOATS or table.dtype == types.uint16) and all(
        isinstance(value, types.UniTuple) and _vector_of(value.dtype) == kind
        for value, kind in ((places, INTS), (weights, FLOATS))
    )
    return (_EIGHT_FLOATS(table, places, weights, types.int64, types.int64), generate) if fits else None


@intrinsic
def prefetch(typing: Any, table: Any, places: Any, at: Any) -> Any:
    """Have the processor fetch two places of a flat table into its cache, before they are needed.

    Args:
        typing: numba's.
        table: flat array.
        places: flat int32 array, of which the first and the last of eight are used: those between lie near these.
        at: index of the first of the eight places.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> Any:
        (table, places, at), (kind, place_kind, _) = values, signature.args
        address, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        request = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [address, flag, flag, flag]), "llvm.prefetch.p0i8"
        )
        for index in _lane_indices(builder, at)[:: LANES - 1]:
            place = _number(context, builder, place_kind, places, index)
            start = _pointer(context, builder, kind, table, place, ir.IntType(8))
            builder.call(request, [start, *(ir.Constant(flag, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    fits = isinstance(table, types.Array) and _vector_of(places) == INTS
    return (types.void(table, places, types.int64), generate) if fits else None


_EIGHT_FLOATS = types.UniTuple(FLOATS, LANES)


def _lane_indices(builder: ir.IRBuilder, at: Any) -> list[Any]:
    return [builder.add(at, ir.Constant(at.type, lane)) for lane in range(LANES)]


def _number(context: Any, builder: ir.IRBuilder, kind: types.Array, array: Any, index: Any) -> Any:
    """An element of a flat int32 array."""
    number = builder.load(_pointer(context, builder, kind, array, index, ir.IntType(32)))
    return builder.sext(number, ir.IntType(64))


def _row(context: Any, builder: ir.IRBuilder, table: tuple[types.Array, Any], place: Any, column: Any) -> Any:
    """Eight neighbors in a flat table, as floats."""
    start, small = builder.add(place, column), ir.VectorType(ir.IntType(16), LANES)
    if table[0].dtype == types.float32:
        return builder.load(_pointer(context, builder, *table, start, FLOATS.llvm), align=4)
    found = builder.load(_pointer(context, builder, *table, start, small), align=2)
    return builder.sitofp(builder.zext(found, INTS.llvm), FLOATS.llvm)


def _transposed(builder: ir.IRBuilder, rows: list[Any]) -> list[Any]:
    """Columns of a matrix of 8 x 8: pairs of elements, then of pairs, then of halves change places."""
    halves = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]
    singles = [0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15]
    pairs = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
    one = [shuffled(builder, rows[i], rows[i + 1], order) for i in (0, 2, 4, 6) for order in singles]
    two = [shuffled(builder, one[i], one[i + 2], order) for i in (0, 1, 4, 5) for order in pairs]
    return [shuffled(builder, two[i], two[i + 4], order) for order in halves for i in range(4)]
