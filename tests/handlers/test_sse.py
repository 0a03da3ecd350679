"""Streams as other servers send them, byte by byte: what is read of them, whatever lies around and between."""

import asyncio
import json
from collections.abc import AsyncGenerator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridq.handlers.llm.errors import Said
from hybridq.handlers.llm.sse import END, Letters, events

ONE, TWO = b'data: {"a": 1}\n\n', b'data: {"a": 2}\n\n'
BOTH = [{"a": 1}, {"a": 2}]


def read(*pieces: bytes) -> list[Any]:
    """The events in these bytes, END as a word."""

    async def given_() -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            yield piece

    async def main() -> list[Any]:
        return ["END" if event is END else event async for event in events(given_())]

    return asyncio.run(main())


KEPT_ALIVE = {
    "comments": [b": hello\n\n", ONE, b":\n\n", TWO],
    "ids and retries": [b"retry: 3000\n\n", b"id: 1\n\n", ONE, b"id: 2\n\n", TWO],
    "fields without data": [b"data:\n\n", ONE, b"data: \n\n", b"data\n\n", TWO],
    "pings": [ONE, b"event: ping\n\n", b"event: ping\ndata: ping\n\n", b"event: heartbeat\ndata: {}\n\n", TWO],
    "nulls and words": [b"data: null\n\n", ONE, b"data: keep-alive\n\n", b'data: "ping"\n\n', TWO],
    "unknown fields": [ONE, b"level: info\n\n", TWO],
    "a mark and empty lines first": [b"\xef\xbb\xbf\n\n", ONE, TWO],
    "carriage returns": [ONE.replace(b"\n", b"\r\n"), TWO.replace(b"\n", b"\r")],
    "no empty line between": [ONE[:-1], TWO],
    "no end of the last line": [ONE, TWO.rstrip()],
    "lines of objects": [b'{"a": 1}\n', b'{"a": 2}\n'],
}


@pytest.mark.parametrize("how", KEPT_ALIVE)
def test_what_says_nothing_is_passed_over(how: str) -> None:
    """Keep-alives of every kind, and line ends of every kind: the two events are there."""
    assert [event for event in read(*KEPT_ALIVE[how]) if event not in ({}, "END")] == BOTH


@given(st.lists(st.integers(0, 200), max_size=8))
def test_where_the_network_cuts_changes_nothing(cuts: list[int]) -> None:
    """The same bytes in any pieces are the same events."""
    whole = b"\r\n" + ONE + b": x\r\n\r\n" + 'data: {"b": "é☃😀"}\r\n\r\n'.encode() + TWO + b"data: [DONE]\n\n"
    places = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(places)]
    assert read(*pieces) == [{"a": 1}, {"b": "é☃😀"}, {"a": 2}, "END"]


@pytest.mark.parametrize("before", [b"", b"\n\n\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("after", [b"", b"\n", b"\ndata: [DONE]\n\n"])
def test_one_whole_answer_is_read_as_such(before: bytes, after: bytes) -> None:
    """A server that does not stream, whatever it puts around its answer."""
    assert read(before + json.dumps({"a": 1}).encode() + after) == [{"a": 1}, "END"]


def test_a_pretty_answer_over_many_lines_is_read_as_one() -> None:
    """Whole JSON with line ends in it, as a whole body and as the data of one event."""
    pretty = json.dumps({"a": {"b": [1, 2]}}, indent=2).encode()
    assert read(pretty) == [{"a": {"b": [1, 2]}}, "END"]
    assert read(b"data: " + pretty.replace(b"\n", b"\ndata: ") + b"\n\n") == [{"a": {"b": [1, 2]}}]


@pytest.mark.parametrize(
    "event",
    [
        b"event: error\ndata: upstream died\n\n",
        b'event: error\ndata: {"message": "upstream died"}\n\n',
        b'data: {"error": "upstream died"}\n\n',
    ],
)
def test_an_event_that_is_called_an_error_is_one(event: bytes) -> None:
    """Whether its data is an error object or only what went wrong."""
    (first, last) = read(ONE, event)
    assert first == {"a": 1}
    assert "upstream died" in json.dumps(last["error"])


@pytest.mark.parametrize("body", [b'{"a": 1', b'data: {"a": \n\n', b"", b"\n"])
def test_broken_json_may_be_tried_again(body: bytes) -> None:
    """Of a whole answer or of one event, or nothing at all: what broke once need not break again."""
    with pytest.raises(Said) as told:
        read(body)
    assert told.value.passing


@pytest.mark.parametrize("body", [b"<html><h1>Log in</h1></html>", b"Internal error"])
def test_a_page_is_no_answer(body: bytes) -> None:
    """It is told in its words, and is no reason to ask again."""
    with pytest.raises(Said, match=r"Is base_url right"):
        read(body)


@pytest.mark.parametrize("body", [b'{"detail": "Not Found"}', b'{"message": "no such route"}', b'{"error": "no"}'])
def test_an_object_with_words_of_its_own_is_an_error(body: bytes) -> None:
    """It is told in these, and asking again does not help."""
    with pytest.raises(Said, match=r"^(Not Found|no such route|no)$") as told:
        read(body)
    assert not told.value.passing


def test_nothing_after_the_done_mark_counts() -> None:
    """It is the end."""
    assert read(ONE, b"data: [DONE]\n\n", TWO) == [{"a": 1}, "END"]


def joined(*pieces: str) -> str:
    letters = Letters()
    return "".join([*map(letters.join, pieces), letters.join("", last=True)])


@given(st.text(), st.data())
def test_a_letter_that_was_cut_in_two_comes_out_whole(text: str, data: st.DataObject) -> None:
    """Cut between any two bytes of UTF-8, or between the halves of UTF-16, the pieces give the text again."""
    whole = text.encode()
    cut = data.draw(st.integers(0, len(whole)))
    assert joined(*(part.decode("utf-8", "surrogateescape") for part in (whole[:cut], whole[cut:]))) == text
    halves = text.encode("utf-16-le")
    place = 2 * data.draw(st.integers(0, len(halves) // 2))
    assert joined(*(part.decode("utf-16-le", "surrogatepass") for part in (halves[:place], halves[place:]))) == text


def test_half_a_letter_that_stays_alone_is_told_as_such() -> None:
    """Its place is marked, and nothing else is lost."""
    events = read(b'data: {"a": "one \xf0\x9f"}\n\n', b'data: {"a": " two\\ud83d"}\n\n')
    assert joined(*(event["a"] for event in events)) == "one \ufffd two\ufffd"
