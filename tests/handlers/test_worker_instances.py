"""A worker's processes: who is served first, how many there are, how long they stay, and what they took."""

import asyncio
import os
import signal
from contextlib import aclosing

import psutil
import pytest

from hybridq.job import Lane, Started

from ..support.handling import calls, collect, ends, gone, items, program, run, starts, text, until, values, worker


def test_stream_call_goes_before_waiting_chunks():
    """On one shared instance a stream call that comes last is served before batch chunks that wait."""

    async def main(handler):
        order = []

        async def job(lane, first, wish):
            order.extend(ends(await collect(handler, calls(wish, first=first), lane)))

        jobs = [asyncio.create_task(job(Lane.BATCH, 1, ["sleep", 0.2]))]
        await asyncio.sleep(0)
        jobs += [asyncio.create_task(job(Lane.BATCH, number, "answer")) for number in (2, 3)]
        await asyncio.sleep(0)
        jobs.append(asyncio.create_task(job(Lane.STREAM, 4, "answer")))
        await asyncio.gather(*jobs)
        await handler.close()
        return order

    assert asyncio.run(main(items())) == [1, 4, 2, 3]


def test_place_of_a_waiter_that_was_cancelled_is_passed_on():
    """A run that is cancelled in the moment in which it gets its place does not take the place with it."""

    async def main(handler):
        pool = handler._pool
        worker = await pool.acquire(Lane.BATCH)
        waiting = asyncio.create_task(pool.acquire(Lane.BATCH))
        await asyncio.sleep(0)
        pool.release(worker)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(10):
            assert await pool.acquire(Lane.BATCH) is worker
        await handler.close()

    asyncio.run(main(items()))


def test_instances_work_side_by_side():
    """Two instances serve two runs at once, and a third waits for one of them: never more than two processes."""

    async def main(handler):
        runs = [collect(handler, calls(["all", ["sleep", 0.1], ["pid"]], first=n)) for n in range(1, 4)]
        await asyncio.gather(*runs)
        found = len(psutil.Process().children())
        await handler.close()
        return found

    handler = items(instances=2)
    assert asyncio.run(main(handler)) == 2


def test_warm_instance_is_kept_then_ended_when_idle():
    """Calls share a process while it is warm; after the idle time `tend` ends it and the next call starts another."""

    async def main(handler):
        pids = [values(await collect(handler, calls(["pid"]), Lane.STREAM))[1] for _ in range(2)]
        now = asyncio.get_running_loop().time()
        due = await handler.tend(now)
        assert now + 90 < due <= now + 100
        assert not gone(pids[0])
        assert await handler.tend(due) is None
        await until(lambda: gone(pids[0]))
        pids.append(values(await collect(handler, calls(["pid"]), Lane.STREAM))[1])
        await handler.close()
        return pids

    first, second, third = asyncio.run(main(items(idle=100.0)))
    assert first == second != third
    assert gone(third)


def test_instance_that_died_while_idle_is_replaced():
    """A warm worker that somebody killed between two calls costs a start, not a call."""

    async def main(handler):
        pid = values(await collect(handler, calls(["pid"]), Lane.STREAM))[1]
        os.kill(pid, signal.SIGKILL)
        found = values(await collect(handler, calls("answer"), Lane.STREAM))
        await handler.close()
        return found

    assert asyncio.run(main(items())) == {1: 1}


def test_cancelled_call_ends_its_instance():
    """Closing a run ends the worker that was at it, and the next call gets a new one."""

    async def main(handler):
        wish = ["all", ["raw", '{"id": ID, "partial": "begun"}'], ["sleep", 60]]
        async with aclosing(handler.run(calls(wish), Lane.STREAM)) as bunches:
            async for bunch in bunches:
                if text(bunch):
                    break
        assert not psutil.Process().children()
        found = values(await collect(handler, calls("answer")))
        await handler.close()
        return found

    assert asyncio.run(main(items())) == {1: 1}


def test_cancelled_call_that_answers_in_time_keeps_its_instance():
    """A worker that answers within a moment after its call was cancelled stays warm."""

    async def main(handler):
        async with aclosing(handler.run(calls(["sleep", 0.05]), Lane.STREAM)) as bunches:
            await anext(bunches)
        await collect(handler, calls("answer"))
        await handler.close()

    handler = items()
    count = starts(handler)
    asyncio.run(main(handler))
    assert len(count) == 1


def test_cancelled_task_ends_its_worker_and_frees_its_place():
    """Cancelling the task of a run, and of one that waits for the place, leaves nothing behind."""

    async def main(handler):
        tasks = [asyncio.create_task(collect(handler, calls(["sleep", 60], first=n))) for n in (1, 2)]
        await until(lambda: bool(psutil.Process().children()))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not psutil.Process().children()
        found = values(await collect(handler, calls("answer")))
        await handler.close()
        return found

    assert asyncio.run(main(items())) == {1: 1}


def test_close_ends_what_is_at_work_and_gives_the_rest_back():
    """After `close` no process is left; calls that had not begun are given back, not failed."""

    async def main(handler):
        task = asyncio.create_task(collect(handler, calls(["sleep", 60], "answer")))
        await until(lambda: bool(psutil.Process().children()))
        await handler.close()
        assert not psutil.Process().children()
        return ends(await task)

    found = asyncio.run(main(items()))
    assert {number: end.gave_back for number, end in found.items()} == {1: True, 2: True}


def test_start_up_is_told_apart_from_the_work():
    """The first call of a new worker is told its start-up; its busy time and that of later calls are without it."""

    async def main(handler):
        first = await collect(handler, calls("a", "b"))
        second = await collect(handler, calls("c", first=3))
        await handler.close()
        return first, second

    first, second = asyncio.run(main(worker(*program("moods", "is slow to start", 0.5))))
    startups = [event.startup for event in (*first, *second) if isinstance(event, Started)]
    assert startups[0] >= 0.5
    assert startups[1:] == [0.0, 0.0]
    assert sum(end.busy for end in ends(first).values()) < 0.5


@pytest.mark.parametrize("settings", [{}, {"protocol": "lines"}])
def test_busy_is_never_negative(settings):
    """A call that is answered before anybody saw that it was read has cost nothing, not less than that."""
    script = 'sleep 0.3; while read -r line; do echo "{\\"id\\": 1, \\"output\\": 1}"; done'
    for _ in range(3):
        assert ends(run(worker("sh", "-c", script, **settings), calls("a")))[1].busy >= 0


def test_busy_is_the_time_between_answers():
    """In a chunk each call bears the time since the answer before it."""
    found = ends(run(items(), calls("answer", ["sleep", 0.3], ["sleep", 0.1])))
    assert found[2].busy > found[3].busy > found[1].busy
    assert sum(end.busy for end in found.values()) >= 0.39  # a clock may be read some ms after the worker's own
