"""What the loops share: flat arrays as they arrive, room of their own, numbers that lead outside."""

import cython
from cython.cimports.libc.stdlib import malloc
from cython.cimports.numpy import (
    NPY_DOUBLE,
    NPY_FLOAT,
    NPY_INT16,
    NPY_INT32,
    NPY_INT64,
    PyArray_DATA,
    PyArray_ISWRITEABLE,
    PyArray_IS_C_CONTIGUOUS,
    PyArray_SIZE,
    PyArray_TYPE,
    ndarray,
)


@cython.cfunc
@cython.exceptval(check=True)
def cells(array: object, kind: cython.int, writable: cython.bint) -> cython.p_void:
    """Where the array's cells begin; TypeError where it is no contiguous array of `kind`."""
    if not isinstance(array, ndarray):
        raise TypeError(f"an array is needed, got {type(array).__name__}")
    told: ndarray = cython.cast(ndarray, array)
    if PyArray_TYPE(told) != kind or not PyArray_IS_C_CONTIGUOUS(told):
        raise TypeError(f"a contiguous array of another type is needed, got one of {told.dtype}")
    if writable and not PyArray_ISWRITEABLE(told):
        raise ValueError("the array is read-only")
    return PyArray_DATA(told)


@cython.cfunc
@cython.inline
def length(array: object) -> cython.Py_ssize_t:
    return PyArray_SIZE(cython.cast(ndarray, array))


@cython.cfunc
@cython.exceptval(check=True)
def ints(array: object, writable: cython.bint = False) -> cython.p_int:
    return cython.cast(cython.p_int, cells(array, NPY_INT32, writable))


@cython.cfunc
@cython.exceptval(check=True)
def shorts(array: object) -> cython.pointer(cython.short):
    return cython.cast(cython.pointer(cython.short), cells(array, NPY_INT16, False))


@cython.cfunc
@cython.exceptval(check=True)
def floats(array: object, writable: cython.bint = False) -> cython.p_float:
    return cython.cast(cython.p_float, cells(array, NPY_FLOAT, writable))


@cython.cfunc
@cython.exceptval(check=True)
def doubles(array: object, writable: cython.bint = False) -> cython.p_double:
    return cython.cast(cython.p_double, cells(array, NPY_DOUBLE, writable))


@cython.cfunc
@cython.exceptval(check=True)
def longs(array: object, writable: cython.bint = False) -> cython.p_longlong:
    return cython.cast(cython.p_longlong, cells(array, NPY_INT64, writable))


@cython.cfunc
@cython.exceptval(check=True)
def bytes_of(array: object, kind: cython.int, writable: cython.bint = False) -> cython.p_uchar:
    return cython.cast(cython.p_uchar, cells(array, kind, writable))


@cython.cfunc
@cython.exceptval(check=True)
def room_for(size: cython.size_t) -> cython.p_void:
    """Memory of the loop's own, to be freed by it."""
    found = malloc(size if size > 0 else 1)
    if not found:
        raise MemoryError
    return found


@cython.cfunc
@cython.exceptval(-1)
def outside(number: cython.longlong, size: cython.longlong) -> cython.int:
    raise IndexError(f"number {number} is outside 0..{size - 1}")
