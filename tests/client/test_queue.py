"""What `import hybridq` gives programs, against a real daemon."""

import asyncio
import multiprocessing
import os
import pickle
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import hybridq
from hybridq.outlook import Outlook
from hybridq.queue.bulk import CHUNK_ROWS
from tests.support.building import daemon

SLOW = "import time; print('begun', flush=True); time.sleep(60)"


@pytest.fixture
def queue(outlook: Outlook) -> hybridq.Queue:
    """A program's queue, of the handlers `shell` and `echo`."""
    return hybridq.Queue(outlook.store.home.folder)


@pytest.fixture
def served(outlook: Outlook, queue: hybridq.Queue) -> Iterator[hybridq.Queue]:
    """The same with a daemon."""
    with daemon(outlook):
        yield queue


def test_a_command_gives_what_it_printed(served: hybridq.Queue) -> None:
    """A command's result is its bytes; a worker's is what its JSON says."""
    assert served.submit("shell", ["echo", "hello"], audience="user").result(timeout=30) == b"hello\n"
    assert served.submit("echo", "hi", audience="user").result(timeout=30) == "hi"


def test_for_and_async_for_give_the_same(served: hybridq.Queue) -> None:
    """One object is followed by `for` and by `async for`, and awaited."""
    job = served.submit("shell", ["printf", "é1\n2\n"], audience="user")

    async def both() -> tuple[str, object]:
        return "".join([piece.text async for piece in job.follow()]), await job

    assert asyncio.run(both()) == ("é1\n2\n", "é1\n2\n".encode())
    assert "".join(piece.text for piece in job.follow()) == "é1\n2\n"


def test_a_loop_goes_on_while_a_job_is_awaited(served: hybridq.Queue) -> None:
    """Whoever awaits a job holds up nothing else in the loop."""

    async def ticks() -> int:
        job, count = served.submit("shell", ["sleep", "0.5"], audience="user"), 0
        waiting = asyncio.ensure_future(job._awaited())
        while not waiting.done():
            await asyncio.sleep(0.01)
            count += 1
        return count

    assert asyncio.run(ticks()) > 5


def test_failure_has_its_exit_code_and_reason(served: hybridq.Queue) -> None:
    """A job that failed raises JobFailed, which can be pickled."""
    with pytest.raises(hybridq.JobFailed, match="job 1 failed") as caught:
        served.submit("shell", "exit 3", audience="user").result(timeout=30)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert again.exit_code == 3


def test_a_cancelled_job_has_no_result(queue: hybridq.Queue) -> None:
    """A job that was cancelled raises JobCancelled; it is cancelled once."""
    job = queue.submit("echo", "x")
    assert (job.cancel(), job.cancel(), job.state) == (True, False, "cancelled")
    with pytest.raises(hybridq.JobCancelled):
        job.result()


def test_waiting_ends_in_time(served: hybridq.Queue) -> None:
    """After `timeout` seconds TimeoutError is raised, and the job goes on."""
    job = served.submit("shell", ["sleep", "60"], audience="user")
    with pytest.raises(TimeoutError):
        job.wait(timeout=0.3)
    assert job.state in {"queued", "running"}
    job.cancel()


def test_without_a_daemon_waiting_ends(queue: hybridq.Queue) -> None:
    """Where nothing runs the queue NoRunner names the command to type; the job stays queued."""
    job = queue.submit("echo", "x", audience="user")
    with pytest.raises(hybridq.NoRunner, match="hybridq daemon"):
        job.result()
    assert job.state == "queued"


def test_whoever_follows_a_killed_daemon_is_told(outlook: Outlook, queue: hybridq.Queue) -> None:
    """A daemon that is killed while a job is followed ends that with NoRunner, also in a loop."""
    with daemon(outlook) as process:
        job = queue.submit("shell", [sys.executable, "-c", SLOW], audience="user")

        async def follow() -> None:
            async for piece in job.follow():
                assert piece.text in "begun\n"  # it may come in two
                process.kill()

        with pytest.raises(hybridq.NoRunner):
            asyncio.run(follow())


def test_whoever_follows_goes_on_with_the_next_daemon(outlook: Outlook, queue: hybridq.Queue) -> None:
    """A daemon that comes after a killed one runs the job again, as a new attempt, for the same follower."""
    job = queue.submit(
        "shell",
        "echo begun; test -e $PWD/once && exit; touch once; sleep 60",
        audience="user",
        cwd=str(outlook.store.home.folder),
    )
    attempts = []
    with daemon(outlook) as first:
        for piece in job.follow(timeout=60):
            attempts.append(piece.attempt)
            if len(attempts) == 1:
                first.kill()
                first.wait()
                second = daemon(outlook)
                second.__enter__()
        second.__exit__(None, None, None)
    assert len(set(attempts)) == 2
    assert job.state == "done"


def test_threads_share_a_queue(queue: hybridq.Queue) -> None:
    """Eight threads submit by one queue at once; no job is lost, and none is there twice."""
    with ThreadPoolExecutor(8) as threads:
        jobs = list(threads.map(lambda number: queue.submit("echo", number).id, range(80)))
    assert sorted(jobs) == list(range(1, 81))


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_a_child_process_uses_the_queue(queue: hybridq.Queue, how: str) -> None:
    """A child opens its own connection, however it was started; its parent's goes on."""
    queue.submit("echo", 1)
    context: Any = multiprocessing.get_context(how)
    child = context.Process(target=_submit, args=(queue,))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert queue.submit("echo", 3).id == 3


def _submit(queue: hybridq.Queue) -> None:
    queue.submit("echo", 2)


def test_many_need_no_more_memory(queue: hybridq.Queue) -> None:
    """100,000 inputs of an iterator are one group, in memory that does not grow with them."""
    queue.submit_many("echo", (str(number) for number in range(100)))
    tracemalloc.start()
    group = queue.submit_many("echo", (str(number) for number in range(100_000)))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(group) == 100_000
    assert most < 20_000_000


def test_a_group_is_waited_for(served: hybridq.Queue) -> None:
    """A group says how many of its jobs came to which end; its jobs stand in the order of the inputs."""
    group = served.submit_many("echo", ["a", "b"], mode="stream")
    assert group.wait(timeout=30) == {"done": 2, "failed": 0, "cancelled": 0}
    assert [job.result() for job in group] == ["a", "b"]


def test_what_others_submit_meanwhile_is_none_of_a_group(outlook: Outlook, queue: hybridq.Queue) -> None:
    """A job whose id lies between those of a group is neither counted nor cancelled with it."""
    others: list[hybridq.Job] = []

    def inputs() -> Iterator[str]:
        for number in range(CHUNK_ROWS + 2):
            if number == CHUNK_ROWS + 1:
                with ThreadPoolExecutor(1) as pool:
                    others.append(pool.submit(hybridq.Queue(outlook.store.home.folder).submit, "echo", "x").result())
            yield "y"

    group = queue.submit_many("echo", inputs(), mode="batch")
    ids = [job.id for job in group]
    assert ids[0] < others[0].id < ids[-1]
    assert others[0].id not in ids
    assert len(group) == len(ids) == CHUNK_ROWS + 2 == group.cancel()
    assert others[0].state == "queued"


def test_a_key_gives_the_same_job_and_after_takes_jobs(queue: hybridq.Queue) -> None:
    """The same key gives the same job; `after` takes a Job."""
    first = queue.submit("echo", 1, key="k")
    assert queue.submit("echo", 1, key="k").id == first.id
    assert queue.submit("echo", 2, after=first).state == "queued"


def test_an_unknown_option_is_told(queue: hybridq.Queue) -> None:
    """What is no option, and no input of JSON, is a HybridqError."""
    with pytest.raises(hybridq.HybridqError, match="colour"):
        queue.submit("echo", 1, colour="red")  # type: ignore[call-arg]
    with pytest.raises(hybridq.HybridqError, match="JSON"):
        queue.submit("echo", object())


def test_import_alone_is_cheap() -> None:
    """`import hybridq` loads no module of its own until a public name is asked for; nothing else is public."""
    code = "import sys, hybridq; print([name for name in sys.modules if name.startswith('hybridq.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    with pytest.raises(AttributeError):
        hybridq.Store  # type: ignore[attr-defined]  # noqa: B018


MYPY = (sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", os.devnull)
PROGRAM = """
import hybridq

async def main() -> None:
    queue = hybridq.Queue()
    job: hybridq.Job = queue.submit("shell", ["echo"], audience="user", priority=1, key="k")
    async for piece in job.follow():
        text: str = piece.text
    for piece in job.follow(timeout=3):
        number: int = piece.attempt
    await job
    counts: dict[str, int] = queue.submit_many("shell", [["a"]], after=job).wait()
"""


def test_a_users_program_is_typed(tmp_path: Path) -> None:
    """mypy --strict accepts a program, and refuses an audience that there is not."""
    (tmp_path / "good.py").write_text(PROGRAM)
    (tmp_path / "bad.py").write_text(PROGRAM.replace('"user"', '"usr"'))
    found = {**os.environ, "MYPYPATH": str(Path(hybridq.__file__).parents[1])}
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--cache-dir", os.devnull, "."]
    said = subprocess.run(command, cwd=tmp_path, env=found, capture_output=True, text=True, check=False).stdout
    assert "bad.py" in said
    assert "'usr'" in said
    assert "good.py" not in said
