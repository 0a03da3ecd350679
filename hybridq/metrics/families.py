"""Every metric of a queue, with its name, its meaning and its labels.

Rule: names as Prometheus asks for them: base units, `_total` for what only grows. Money has its currency as a label.
What may fall is a gauge: jobs go from state to state, and those that were cleaned away are no longer there. Needs the
extra `metrics`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

from .. import __version__
from ..money.limits import Budget
from ..outlook import Outlook
from ..queue import measures
from ..queue.runner import daemon_of, living
from ..queue.store import log_size

PERCENTILES = (50, 95)


def families(outlook: Outlook, now: float) -> Iterator[Metric]:
    """All of them, as they are at `now` (epoch seconds)."""
    yield InfoMetricFamily("hybridq", "The release that tells these figures.", {"version": __version__})
    yield from _runners(outlook, now)
    sums = measures.by_handler(outlook.store)
    yield from _jobs(outlook, sums, now)
    yield from _flushes(outlook)
    yield from _money(outlook, sums, now)
    yield from _waits(outlook)
    yield from _promises(outlook)
    yield _gauge("hybridq_database_bytes", "Size of the queue's file and of the log beside it.", _bytes(outlook))


def _runners(outlook: Outlook, now: float) -> Iterator[Metric]:
    found = daemon_of(outlook.store)
    yield _gauge("hybridq_daemon_up", "1 while a daemon runs this queue, else 0.", float(found is not None))
    if found is not None:
        what = "When the daemon was started, in seconds since the epoch."
        yield _gauge("hybridq_daemon_start_time_seconds", what, found[1])
    yield _gauge("hybridq_runners", "Processes that run jobs of this queue.", len(living(outlook.store)))
    yield _gauge("hybridq_tariff_factor", "The price factor of this hour.", outlook.tariff.factor(now))


def _jobs(outlook: Outlook, sums: Sequence[measures.HandlerSums], now: float) -> Iterator[Metric]:
    there = GaugeMetricFamily(
        "hybridq_jobs",
        "Jobs in the queue; ended ones until they are cleaned away.",
        labels=("handler", "lane", "state"),
    )
    for each in sums:
        for (lane, state), jobs in each.counts.items() if each.handler else ():
            there.add_metric((each.handler, lane, state), jobs)
    yield there
    total = CounterMetricFamily("hybridq_jobs_accepted", "Jobs that were ever accepted.")
    total.add_metric((), measures.accepted(outlook.store))
    yield total
    oldest = GaugeMetricFamily(
        "hybridq_oldest_queued_seconds", "Age of the oldest submission with queued jobs.", labels=("handler", "lane")
    )
    for (handler, lane), since in measures.oldest_waiting(outlook.store).items():
        oldest.add_metric((handler, lane), max(0.0, now - since))
    yield oldest


def _flushes(outlook: Outlook) -> Iterator[Metric]:
    found = measures.by_rule(outlook.store)
    for name, what, of in (
        ("hybridq_flushes", "Batches that have ended, by the rule that began them.", "flushes"),
        ("hybridq_flushed_jobs", "Jobs that came to their end in a batch.", "jobs"),
        ("hybridq_flush_seconds", "How long batches have run, together.", "seconds"),
    ):
        yield _counter(name, what, ("rule",), {(each.rule,): getattr(each, of) for each in found})


def _money(outlook: Outlook, sums: Sequence[measures.HandlerSums], now: float) -> Iterator[Metric]:
    currency, labels = outlook.config.policy.currency, ("handler", "currency")
    streamed: dict[Sequence[str], float] = {(each.handler, currency): each.streamed for each in sums}
    cost: dict[Sequence[str], float] = {(each.handler, currency): each.cost for each in sums}
    yield _counter("hybridq_cost", "What jobs have cost.", labels, cost)
    what = "What the jobs that ended would have cost if each had been streamed at its submission."
    yield _counter("hybridq_streamed_cost", what, labels, streamed)
    saved = GaugeMetricFamily("hybridq_saved", "What has been saved: the one less the other.", labels=("currency",))
    saved.add_metric((currency,), sum(streamed.values()) - sum(cost.values()))
    yield saved
    yield from _budgets(outlook, currency, now)


def _budgets(outlook: Outlook, currency: str, now: float) -> Iterator[Metric]:
    labels = ("handler", "currency")
    budget = GaugeMetricFamily("hybridq_daily_budget", "The daily budget of a handler.", labels=labels)
    spent = GaugeMetricFamily("hybridq_daily_budget_spent", "What of it is spent today.", labels=labels)
    budgets = Budget(outlook)
    for handler in outlook.config.handlers:
        limit = budgets.of_day(handler, now)
        if limit is not None:
            budget.add_metric((handler, currency), limit.amount)
            spent.add_metric((handler, currency), limit.spent)
    yield from (budget, spent)


def _waits(outlook: Outlook) -> Iterator[Metric]:
    what = f"Seconds from submission to the first output, of the last {measures.NEWEST:,} jobs that ended."
    family = GaugeMetricFamily("hybridq_recent_wait_seconds", what, labels=("audience", "percentile"))
    for audience, seconds in measures.newest_waits(outlook.store).items():
        for percentile, value in _percentiles(seconds):
            family.add_metric((audience, percentile), value)
    yield family


def _promises(outlook: Outlook) -> Iterator[Metric]:
    errors, late = measures.newest_errors(outlook.store)
    what = f"Seconds by which the last {measures.NEWEST:,} ETAs that were told at submission were off, of what is done."
    family = GaugeMetricFamily("hybridq_recent_eta_error_seconds", what, labels=("percentile",))
    for percentile, value in _percentiles(errors):
        family.add_metric((percentile,), value)
    yield family
    if errors:
        share = "Share of them that ended after the 90th percentile that was told."
        yield _gauge("hybridq_recent_eta_late_ratio", share, late / len(errors))


def _bytes(outlook: Outlook) -> int:
    home = outlook.store.home
    return home.database.stat().st_size + log_size(home)


def _percentiles(values: Iterable[float]) -> Iterator[tuple[str, float]]:
    """(percentile, value) by nearest rank."""
    ordered = sorted(values)
    if ordered:
        yield from ((str(p), ordered[ceil(p * len(ordered) / 100) - 1]) for p in PERCENTILES)


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)


def _counter(name: str, what: str, labels: Sequence[str], values: Mapping[Sequence[str], float]) -> Metric:
    family = CounterMetricFamily(name, what, labels=labels)
    for of, value in values.items():
        family.add_metric(of, value)
    return family
