"""The benchmark of the headline works: on few documents, with its figures not judged."""

import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from hybridq.job import Lane
from tests.bench.headline import WAYS, Scale, measured

SMALL = Scale(documents=60, questions=5, dear=2.0, late=1.0)


def test_every_way_is_measured() -> None:
    """Each way does every job in the lanes that it names, and all its figures are finite and above nothing."""
    with ThreadPoolExecutor(len(WAYS)) as pool:
        streamed, gathered, mixed = pool.map(partial(measured, scale=SMALL), WAYS)
    for run in (streamed, gathered, mixed):
        assert sum(lot.jobs for lot in run.documents) == SMALL.documents
        assert sum(lot.jobs for lot in run.questions) == len(run.waits) == SMALL.questions
        assert all(math.isfinite(each) and each > 0 for each in (*run.waits, run.money, run.busy, run.wall))
    assert {lot.lane for lot in (*streamed.documents, *streamed.questions)} == {Lane.STREAM}
    assert {lot.lane for lot in (*gathered.documents, *gathered.questions)} == {Lane.BATCH}
