"""A property worked out when it is first asked for: functools.cached_property without the lock it takes every time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

Value = TypeVar("Value")


class once(Generic[Value]):  # noqa: N801  it is read as a decorator
    """For objects of one thread; the value lies in the object's own dictionary from then on."""

    def __init__(self, work: Callable[[Any], Value]) -> None:
        self._work = work
        self._name = work.__name__
        self.__doc__ = work.__doc__

    @overload
    def __get__(self, owner: None, kind: type) -> once[Value]: ...
    @overload
    def __get__(self, owner: object, kind: type) -> Value: ...
    def __get__(self, owner: object | None, kind: type) -> Value | once[Value]:
        if owner is None:
            return self
        value = owner.__dict__[self._name] = self._work(owner)
        return value
