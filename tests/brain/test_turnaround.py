"""When a provider's batch is foreseen to be back: steadily, with its odds said, and only where somebody fetches it."""

import math
import time
from itertools import pairwise
from pathlib import Path

import pytest

from hybridq.brain.away import LAST, Progress, away_eta
from hybridq.brain.conditions import Conditions
from hybridq.brain.estimate import Model
from hybridq.brain.llm import LlmEstimate
from hybridq.brain.tariff import Tariff
from hybridq.config.llm import LlmOptions
from hybridq.config.values import HandlerConfig, PolicyConfig, TariffConfig
from hybridq.job import Lane, Mode
from hybridq.status.overview import take
from tests.support.building import asking, daemon, look, submit_all, until
from tests.support.llm import served
from tests.support.provider import Provider, missing

SINCE = 1_800_000_000.0


def world(elapsed: float, *turnarounds: float, wide: float = 0.0) -> Conditions:
    estimate = LlmEstimate(
        Model(), Model(starts=turnarounds, wide=wide), HandlerConfig(kind="openai"), LlmOptions(model="m")
    )
    return Conditions(
        now=SINCE + elapsed,
        tariff=Tariff(TariffConfig()),
        policy=PolicyConfig(),
        estimate=estimate,
        modes=frozenset(Mode),
        load=0.0,
        loaded=False,
        stream_ahead=0.0,
        stream_slots=1,
        batch_slots=1,
        held=(),
    )


@pytest.mark.parametrize(("share", "elapsed", "left"), [(0.89, 530.0, 65.5), (0.5, 600.0, 600.0), (1.0, 600.0, LAST)])
def test_a_batch_whose_progress_is_told_is_foreseen_by_it(share: float, elapsed: float, left: float) -> None:
    """What is left goes as fast as what is done, whatever other batches took; no end lies before its answers."""
    eta = away_eta(1.0, SINCE, world(elapsed + 1), Progress(share, SINCE + elapsed))
    assert eta.finish == pytest.approx(SINCE + elapsed + left, abs=0.1)
    assert eta.finish90 == pytest.approx(SINCE + elapsed + 2 * left, abs=0.2)


@pytest.mark.parametrize("told", [Progress(0.05, SINCE + 60), Progress(0.9, SINCE + 10)], ids=["little", "long ago"])
def test_progress_that_says_nothing_changes_nothing(told: Progress) -> None:
    """A twentieth of it is no measure, and neither is a batch that has stood still since."""
    assert away_eta(1.0, SINCE, world(60.0), told) == away_eta(1.0, SINCE, world(60.0))


@pytest.mark.parametrize("turnarounds", [(), (60.0, 70.0, 80.0) * 5], ids=["reports", "own"])
def test_the_finish_of_a_batch_that_is_away_stands_still(turnarounds: tuple[float, ...]) -> None:
    """It is what was promised until that has passed, then the end of its spread; later told anew ever more rarely,
    and whenever it is told, half of the batches that are still out are back by then."""
    told: list[float] = []
    half, most = (world(0.0, *turnarounds).estimate.run_time(Lane.BATCH, 1.0, q) or 0.0 for q in (0.5, 0.9))
    for elapsed in sorted({half - 1, half + 1, most - 1, most + 1, *(30.0 * step for step in range(1200))}):
        there = world(elapsed, *turnarounds)
        eta = away_eta(1.0, SINCE, there)
        if eta.finish is None or eta.finish90 is None:
            continue
        assert there.now <= eta.finish
        told.append(round(eta.finish - SINCE, 3))
        if elapsed < half:
            assert (eta.finish, eta.finish90) == pytest.approx((SINCE + half, SINCE + most), abs=1e-3)
            continue
        assert eta.finish90 == eta.finish
        if elapsed < most:
            assert eta.finish == pytest.approx(SINCE + most, abs=1e-3)
            continue
        passed, by = (there.estimate.chance(Lane.BATCH, 1.0, at - SINCE) or 0.0 for at in (there.now, eta.finish))
        assert (by - passed) / (1 - passed) >= 0.5 - 1e-6
    assert told == sorted(told)
    assert len(set(told)) > 3
    assert all(after >= 1.1 * before for before, after in pairwise(sorted(set(told))))


def test_a_spread_that_was_promised_wider_is_told_so_while_it_is_away() -> None:
    """Promises of batches have turned out too narrow: the spread at the provider is the one that was promised."""
    there, half, most = world(1.0, wide=0.5), 420.0, 3600.0
    eta = away_eta(1.0, SINCE, there)
    assert eta.finish == pytest.approx(SINCE + half, abs=1e-3)
    assert eta.finish90 == pytest.approx(SINCE + most * math.exp(0.5), abs=1e-3)


def test_what_nobody_fetches_is_not_foreseen(provider: Provider, tmp_path: Path) -> None:
    """While a daemon runs the same finish is told at each look; when it is gone the jobs wait for another."""
    provider.script.status, provider.script.counts = "never", False
    with served(tmp_path, provider) as outlook:
        with daemon(outlook):
            submit_all(outlook, asking("gpt", Mode.BATCH, group="docs"), [b'"a"', b'"b"'])
            until(lambda: any("with the provider since" in row.why for row in look(outlook).rows))
            now = time.time()
            first, later = (take(outlook, now=now + ahead, limit=5).rows[0] for ahead in (0.0, 300.0))
            assert first.eta == pytest.approx(later.eta, abs=1e-3)
            assert first.eta is not None
            assert "half of its batches are back within 7m" in first.why
        (row,) = look(outlook).rows
    assert row.eta is None
    assert row.why.endswith("; waits for a daemon or a drain")


def test_plain_requests_in_the_place_of_a_batch_are_foreseen_as_such(provider: Provider, tmp_path: Path) -> None:
    """A server turns out to have no batches: while the first requests are answered, the ETA is theirs."""
    provider.instead["POST", "/v1/files"] = missing
    provider.first = 0.2
    with served(tmp_path, provider) as outlook, daemon(outlook):
        submit_all(outlook, asking("gpt", Mode.BATCH, group="docs"), [b'"%d"' % number for number in range(400)])

        def near() -> bool:
            (row,) = look(outlook).rows
            assert row.counts.get("done", 0) < 400, "it was never foreseen"
            return row.eta is not None and row.eta < time.time() + 20

        until(lambda: look(outlook).rows[0].counts.get("done", 0) > 10)
        until(near)


def test_own_batches_soon_say_more_than_others_reports() -> None:
    """After six that took five seconds each the next is foreseen within some ten, and not within minutes; one alone, or
    six that differ as the reports do, are believed less."""
    for turnarounds, likely, most in (((5.0,) * 6, 10.0, 60.0), ((5.0,), 200.0, 3600.0)):
        known = world(0.0, *turnarounds).estimate
        half, nine = (known.run_time(Lane.BATCH, 1.0, q) or 0.0 for q in (0.5, 0.9))
        assert 5.0 < half < likely
        assert half < nine < most
    wide = world(0.0, 60.0, 120.0, 400.0, 500.0, 1800.0, 3600.0).estimate
    assert 300 < (wide.run_time(Lane.BATCH, 1.0) or 0.0) < 700
    assert (wide.run_time(Lane.BATCH, 1.0, 0.9) or 0.0) > 2000
