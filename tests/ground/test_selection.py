"""What a word on the command line selects, and which names a group may have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridq.errors import UsageError
from hybridq.selection import LARGEST_ID, All, Group, Ids, Last, Selector, check_group, parse_selector


@pytest.mark.parametrize(
    ("word", "selected"),
    [
        ("7", Ids(((7, 7),))),
        ("3,5-8", Ids(((3, 3), (5, 8)))),
        ("3, 5 - 8", Ids(((3, 3), (5, 8)))),
        ("last", Last()),
        ("all", All()),
        ("nightly", Group("nightly")),
        ("3rd pass", Group("3rd pass")),
        ("2026-12-01a", Group("2026-12-01a")),
        ("9" * 5000, Ids(((LARGEST_ID, LARGEST_ID),))),
    ],
)
def test_selector_is_understood(word: str, selected: Selector) -> None:
    """Each way to name jobs is read as what it means."""
    assert parse_selector(word) == selected


@pytest.mark.parametrize("word", ["", " ", "3-", "-3", "3,,5", "8-5", "1-2-3", ",", "a\x1b[2J", "x" * 201, "--all"])
def test_selector_is_refused(word: str) -> None:
    """What selects nothing is refused in one harmless sentence."""
    with pytest.raises(UsageError) as refused:
        parse_selector(word)
    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value)) < 200


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)).map(sorted), min_size=1, max_size=8))
def test_ids_are_read_back(ranges: list[list[int]]) -> None:
    """Any list of ranges is read as those ranges."""
    text = ",".join(f"{low}-{high}" for low, high in ranges)
    assert parse_selector(text) == Ids(tuple((low, high) for low, high in ranges))


@given(st.text(max_size=60))
def test_a_group_is_selected_by_its_name_alone(name: str) -> None:
    """A name that a group may have always selects that group, and nothing else."""
    try:
        check_group(name)
    except UsageError:
        return
    assert parse_selector(name) == Group(name)


@pytest.mark.parametrize("name", ["", "last", "all", "7", "3-5", "a\nb", "a\0", " x", "\u202ex", "-x", "x" * 201])
def test_group_name_is_refused(name: str) -> None:
    """A name that cannot be seen, or that means something else, is no group's."""
    with pytest.raises(UsageError):
        check_group(name)
