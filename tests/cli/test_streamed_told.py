"""What a job would have cost streamed, as `show` tells it."""

from hybridq_cli.story import _streamed


def test_what_ran_within_its_start_is_told_no_0() -> None:
    """Whose seconds cannot be told from its start would have cost next to nothing, not 0."""
    assert _streamed(0.0, "EUR").startswith("next to nothing as it came: its start")
    assert _streamed(0.25, "EUR") == "0.25 EUR as it came, in a call of its own"
