"""Sessions at a worker: pieces go in while partial outputs come out."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from hybridq.job import Call, Lane, Partial, Piece

from ..support.handling import WORKERS, calls, ends, gone, reasons, run, starts, text, values, worker


def function(name, **settings):
    """A handler whose function of `workers/functions.py` takes pieces."""
    return worker(call=f"functions:{name}", session=True, cwd=str(WORKERS), **settings)


def given(*pieces: Piece):
    """A source of these pieces, each by itself; it may be read again."""

    async def source() -> AsyncGenerator[Sequence[Piece], None]:
        for piece in pieces:
            yield [piece]

    return source


def session(*pieces: Piece, number: int = 1, **options):
    """A call whose input is these pieces."""
    return Call(id=number, attempt=1, input=b"null", pieces=given(*pieces), **options)


def live(handler, *pieces: Piece, **options):
    """All events of one session in the stream lane."""
    return run(handler, [session(*pieces, **options)], Lane.STREAM)


class Microphone:
    """Pieces that come when somebody speaks."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[Piece | None] = asyncio.Queue()
        self.pulled = 0

    async def pieces(self) -> AsyncGenerator[Sequence[Piece], None]:
        """What is said, until it is over."""
        while (piece := await self.said.get()) is not None:
            self.pulled += 1
            yield [piece]


def test_function_takes_pieces_and_yields_partials():
    """Text comes as text, bytes as bytes, NULs and all; what is returned is the output."""
    events = live(function("heard"), "a", b"\0\xff", "\0")
    assert text(events).decode() == r"""'a' b'\x00\xff' '\x00' """
    assert values(events) == {1: 3}


def test_partials_come_while_the_input_goes_on():
    """What was said is told before anything else is said."""

    async def main():
        handler, mouth = function("heard"), Microphone()
        call = Call(id=1, attempt=1, input=b"null", pieces=mouth.pieces)
        mouth.said.put_nowait("one")
        told = []
        async with asyncio.timeout(30), aclosing(handler.run([call], Lane.STREAM)) as bunches:
            async for event in (event async for bunch in bunches for event in bunch):
                told += [event.data] if isinstance(event, Partial) else []
                if isinstance(event, Partial):
                    mouth.said.put_nowait("two" if len(told) == 1 else None)
        await handler.close()
        return told

    assert asyncio.run(main()) == [b"'one' ", b"'two' "]


def test_generator_that_returns_nothing_has_told_its_output():
    """Then the output is all that it has yielded."""
    assert values(live(function("told"), "a", "b")) == {1: "ab"}


def test_function_may_return_alone():
    """A function that yields nothing gives its output at the end."""
    assert values(live(function("collected"), "a", "b")) == {1: "ab"}


def test_session_may_end_without_pieces():
    """No piece at all is an input, too."""
    assert values(live(function("heard"))) == {1: 0}


def test_ordinary_input_is_the_only_piece():
    """What was submitted whole comes to the same function as one piece, in both lanes."""
    for lane in Lane.STREAM, Lane.BATCH:
        assert values(run(function("collected"), calls("abc"), lane)) == {1: "abc"}


def test_sessions_of_a_batch_are_run_one_after_another():
    """The batch lane gives each session the worker for itself, beside calls with whole inputs."""
    handler = function("collected")
    count = starts(handler)
    todo = [session("a", "b", number=1), *calls("c", first=2), session("d", number=3)]
    assert values(run(handler, todo)) == {1: "ab", 2: "c", 3: "d"}
    assert len(count) == 1


def test_worker_that_answers_early_serves_the_next_session():
    """What it was not told of the session before does not come to the next."""
    handler = function("hasty")
    count = starts(handler)
    todo = [session("a", *["b"] * 1000, number=1), session("c", "d", number=2)]
    assert values(run(handler, todo)) == {1: "a", 2: "c"}
    assert len(count) == 1


def test_function_that_raises_fails_the_session_alone():
    """The reason is told; the next session goes to the same worker."""
    handler = function("cross")
    count = starts(handler)
    events = run(handler, [session("a", "bad", "b", number=1), session("c", number=2)])
    found = ends(events)
    assert found[1].reason == "ValueError: I heard something bad"
    assert not found[1].replay
    assert json.loads(found[2].value) == "c"
    assert len(count) == 1


def test_yielding_what_is_no_text_is_told():
    """A partial output is text."""
    assert reasons(live(function("untold"), "a")) == {1: "a session's function must yield text, not list"}


def test_death_of_the_worker_asks_for_a_replay(tmp_path):
    """It fails with what happened, to be given to another from its beginning."""
    handler = function("mortal")
    end = ends(live(handler, "a", f"die {tmp_path / 'died'}"))[1]
    assert end.reason.startswith("the worker died in this session: killed by SIGKILL")
    assert end.replay


def test_worker_that_takes_nothing_more_is_too_slow():
    """The timeout of a session is one of silence while something is owed; no other worker would do better."""
    end = ends(live(function("stuck", timeout=0.5), "a"))[1]
    assert end.reason == "timed out after 0.5s"
    assert not end.replay


def test_silence_of_the_input_is_no_silence_of_the_worker():
    """Somebody who says nothing for longer than the timeout has not timed out."""

    async def main():
        handler, mouth = function("heard", timeout=0.5), Microphone()
        call = Call(id=1, attempt=1, input=b"null", pieces=mouth.pieces)
        asyncio.get_running_loop().call_later(1.5, lambda: [mouth.said.put_nowait(each) for each in ("a", None)])
        async with asyncio.timeout(30), aclosing(handler.run([call], Lane.STREAM)) as bunches:
            events = [event async for bunch in bunches for event in bunch]
        await handler.close()
        return values(events)

    assert asyncio.run(main()) == {1: 1}


def test_pieces_wait_until_the_worker_takes_them():
    """Of 64 MB for a worker that does not read yet only what fits into its pipe is pulled."""

    async def main():
        handler, mouth = function("marathon"), Microphone()
        for _ in range(1000):
            mouth.said.put_nowait(b"x" * 64_000)
        mouth.said.put_nowait(None)
        most = []
        call = Call(id=1, attempt=1, input=b"null", pieces=mouth.pieces)
        asyncio.get_running_loop().call_later(0.3, lambda: most.append(mouth.pulled))
        async with asyncio.timeout(60), aclosing(handler.run([call], Lane.STREAM)) as bunches:
            events = [event async for bunch in bunches for event in bunch]
        await handler.close()
        return most, values(events)

    most, found = asyncio.run(main())
    assert most[0] < 10
    assert found == {1: 64_000_000}


def test_session_that_is_closed_ends_its_worker():
    """Whoever cancels in the middle leaves no process behind."""

    async def main():
        handler, mouth = function("heard"), Microphone()
        call = Call(id=1, attempt=1, input=b"null", pieces=mouth.pieces)
        mouth.said.put_nowait("a")
        async with asyncio.timeout(30), aclosing(handler.run([call], Lane.STREAM)) as bunches:
            async for bunch in bunches:
                if any(isinstance(event, Partial) for event in bunch):
                    (worker,) = handler._pool._all
                    pid = worker._child.pid
                    break
        assert gone(pid)
        await handler.close()

    asyncio.run(main())


def test_input_that_cannot_be_read_fails_the_session():
    """A part of an input is not taken for the whole."""

    async def torn() -> AsyncGenerator[Sequence[Piece], None]:
        yield ["a"]
        raise OSError("the disk is gone")

    call = Call(id=1, attempt=1, input=b"null", pieces=torn)
    events = run(function("heard"), [call], Lane.STREAM)
    assert reasons(events) == {1: "the input cannot be read: the disk is gone"}
