"""A file in which a later release has written what this one does not know: shown as it is, or refused in a sentence."""

import pytest

from hybridq.outlook import Outlook
from hybridq.reason import Reason, stored
from hybridq.sentences import sentence
from tests.support.building import command

VIEWS = (("status",), ("status", "--all", "--json"), ("show", "g"), ("explain", "g"), ("report",), ("output", "1"))


def write(outlook: Outlook, change: str) -> None:
    with outlook.store.tx() as connection:
        connection.execute(f"UPDATE cohort SET {change}")  # noqa: S608 - ours


@pytest.mark.parametrize("view", VIEWS, ids=" ".join)
@pytest.mark.parametrize(
    "column",
    ["mode = 'burst'", "lane = 'idle'", "audience = 'robot'", "request = json_set(request, '$.mode', 'burst')"],
)
def test_words_of_a_later_release_are_refused_in_a_sentence(
    every_state: Outlook, column: str, view: tuple[str, ...]
) -> None:
    """Each view either does not need them, or says which command brings a release that knows them."""
    write(every_state, column)
    said = command(every_state.store.home, *view)
    assert said.returncode in (0, 78), said.stderr
    assert "something went wrong" not in said.stderr
    if said.returncode:
        assert "newer release. Upgrade hybridq: " in said.stderr


@pytest.mark.parametrize("view", VIEWS, ids=" ".join)
@pytest.mark.parametrize(
    "reason", ['json(\'{"kind": "saves", "costs": "much"}\')', 'json(\'{"kind": "dreams"}\')', "7"]
)
def test_reasons_of_a_later_release_are_shown_as_they_are(
    every_state: Outlook, reason: str, view: tuple[str, ...]
) -> None:
    """Whatever they are made of, no view ends for them."""
    write(every_state, f"decision = json_set(decision, '$.reason', {reason})")
    said = command(every_state.store.home, *view)
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("reason", [Reason("saves"), Reason("waited"), Reason("dreams"), Reason("late")])
def test_a_reason_that_lacks_its_figures_has_words(reason: Reason) -> None:
    """Its kind, where nothing else is known."""
    assert sentence(reason, 0.0)
    assert stored(reason)
