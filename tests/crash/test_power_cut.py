"""What is stored survives a power cut, with what it refers to; what is gone all the same is told."""

import errno
import os
from pathlib import Path

import pytest

from hybridq.job import Mode
from hybridq.queue.outputs import output_path
from hybridq.queue.results import result
from hybridq.runner import unsynced
from hybridq.runner.drain import DrainLimits, run_drain
from tests.support.building import asking, command, queue, submit_all
from tests.support.power_cut import Disk, done, losses

TALKS = b'{"shell": "echo $HYBRIDQ_JOB_ID; echo bad >&2"}'
JOBS = 60
ENV = {"PATH": os.environ["PATH"]}


def drained(folder: Path, patch: pytest.MonkeyPatch, mode: Mode, *, confirms: bool = True) -> Disk:
    """Commands that print, run to their end, and the power cuts that may have come meanwhile."""
    outlook = queue(folder)
    with outlook.store:
        submit_all(outlook, asking("shell", mode, env=ENV), [TALKS] * JOBS)
        disk = Disk(outlook.store.home, folder / "cuts", patch, confirms=confirms)
        run_drain(outlook.store.home, outlook.config, DrainLimits())
        disk.cut()
        assert done(outlook.store.home) == JOBS
    return disk


@pytest.mark.parametrize("mode", [Mode.BATCH, Mode.STREAM])
def test_after_a_power_cut_each_done_job_has_its_whole_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    """Whenever the power goes, and though all of the database had arrived and nothing that was not asked for."""
    disk = drained(tmp_path, monkeypatch, mode)
    assert [losses(cut) for cut in disk.cuts] == [[]] * len(disk.cuts)
    assert len(disk.cuts) > 1
    assert done(disk.cuts[-1]) == JOBS


@pytest.mark.parametrize("mode", [Mode.BATCH, Mode.STREAM])
def test_the_checker_sees_outputs_that_were_never_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    """The control: without the sync the same check finds each output gone."""
    disk = drained(tmp_path, monkeypatch, mode, confirms=False)
    assert len(losses(disk.cuts[-1])) == JOBS


def test_an_output_that_the_disk_does_not_confirm_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job is done, and says how much may be lost: nobody can ask it to print that again."""

    def broken(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with (outlook := queue(tmp_path)).store as store:
        (job,) = submit_all(outlook, asking("shell", env=ENV), [b'{"argv": ["echo", "12345"]}'])
        monkeypatch.setattr(unsynced, "_sync", broken)
        run_drain(store.home, outlook.config, DrainLimits())
        found = result(store, job)
        assert found is not None
        assert (found.dropped, found.out) == (6, 6)


@pytest.mark.parametrize(("keeps", "gone"), [(2, "4 bytes"), (None, "6 bytes")])
def test_an_output_that_was_cut_or_removed_is_told(tmp_path: Path, keeps: int | None, gone: str) -> None:
    """`output` prints what is left and ends with 74, `show` says how much is missing."""
    with (outlook := queue(tmp_path)).store as store:
        (job,) = submit_all(outlook, asking("shell", env=ENV), [b'{"argv": ["echo", "12345"]}'])
        run_drain(store.home, outlook.config, DrainLimits())
        path = output_path(store.home, job, 1)
        path.unlink() if keeps is None else os.truncate(path, keeps)
        told = command(store.home, "output", str(job))
        assert (told.returncode, told.stdout) == (74, "12"[: keeps or 0])
        assert f"{gone} of job {job}'s output are gone" in told.stderr
        assert f"{gone} of output" in command(store.home, "show", str(job)).stdout
