from dataclasses import dataclass

from store.once import once


@dataclass(frozen=True)
class Counted:
    """A frozen record with something to work out."""

    told: list[int]

    @once
    def total(self) -> int:
        """The sum."""
        self.told.append(0)
        return sum(self.told)


def test_it_is_worked_out_once_and_for_each_object_alone() -> None:
    one, other = Counted([1, 2]), Counted([5])
    assert (one.total, one.total, other.total) == (3, 3, 5)
    assert len(one.told) == 3
    assert Counted.total.__doc__ == "The sum."
