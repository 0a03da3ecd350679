"""What a runner keeps of what views show of jobs later than at their submission."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hybridq.job import Mode
from hybridq.runner.engine import Engine
from hybridq.runner.telling import Telling
from tests.support.building import asking, queue, submit_all, until

CONFIG = '[handlers.echo]\ncommand = ["cat"]\nprotocol = "lines"\nexpected = "60s"\nfixed = "1s"\n'


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A daemon that looks after nothing but what it is told to."""
    outlook = queue(tmp_path, CONFIG)
    outlook.store.close()
    made = Engine(outlook.store.home, outlook.config, "daemon")
    with closing(made.bell):
        yield made
        made.runner.close(made.store)
        made.store.close()


def kept(engine: Engine) -> list[tuple[str, str | None, int]]:
    """What was kept beside the promises at submission: when it was told, of which group, under which cohort."""
    return engine.store.rows("SELECT said, whole, cohort FROM promise WHERE said <> 'submission' ORDER BY id")


def test_half_way_to_the_promised_end_what_is_shown_is_kept(engine: Engine) -> None:
    """Once, and only of what has not ended; before half of the time has passed nothing is."""
    telling = Telling(engine)
    submit_all(engine.outlook, asking(mode=Mode.STREAM), [b'"x"'])
    ((cohort, made, finish),) = engine.store.rows("SELECT cohort, made, finish FROM promise")
    assert finish - made > 30
    assert telling.turn(made + 1) == 0
    until(lambda: telling.turn((made + finish) / 2 + 1))
    assert kept(engine) == [("half", None, cohort)]
    assert telling.turn(finish) == 0
    ((later, told),) = engine.store.rows("SELECT made, finish FROM promise WHERE said = 'half'")
    assert told > later


def test_as_a_flush_begins_what_is_shown_of_its_groups_is_kept(engine: Engine) -> None:
    """Of a group of two submissions it is told once, as of a whole; of a job alone as of itself."""
    telling = Telling(engine)
    for group in ("g", "g", None):
        submit_all(engine.outlook, asking(group=group), [b'"x"'] * (2 if group else 1))
    cohorts = [number for (number,) in engine.store.rows("SELECT id FROM cohort ORDER BY id")]
    engine.flushed.extend(cohorts)
    (now,) = engine.store.row("SELECT max(accepted) FROM cohort") or (0.0,)
    assert telling.turn(now + 1) == 2
    assert kept(engine) == [("flush", "g", cohorts[0]), ("flush", None, cohorts[2])]
