"""What a worker is told and what it answers, line by line: inputs, odd answers, partial outputs, line filters."""

import asyncio
import json
import logging

import pytest

from hybridq.config.values import RunnerConfig
from hybridq.handlers.worker import turn
from hybridq.handlers.worker.worker import chunks_of
from hybridq.job import Call, Failure, Lane, Output, Started

from ..support.handling import calls, collect, ends, items, program, reasons, run, starts, text, values, worker


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('{"id": true, "output": 0}', "with a wrong id"),
        ('{"id": 1.0, "output": 0}', "with a wrong id"),
        ('{"id": "ID", "output": 0}', "with a wrong id"),
        ('{"id": null, "output": 0}', "with a wrong id"),
        ('{"id": 999, "output": 0}', "for an unknown id"),
        ('{"id": ID, "attempt": 7, "output": 0}', "for another attempt"),
        ('{"id": ID}', "without an answer"),
        ('{"id": ID, "outp', "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_odd_line_is_counted_and_nothing_else(line, kind):
    """A line that is no answer is counted by its kind, and the answer after it is the one that counts."""
    handler = items()
    wish = ["all", ["raw", line], "answer"]
    assert values(run(handler, calls("answer", wish, "answer"))) == {1: 1, 2: 2, 3: 3}
    assert handler.oddities == {kind: 1}


@pytest.mark.parametrize(
    "wish",
    [
        ["raw", '{"id": true, "output": 0}'],
        ["raw", '{"id": "ID", "output": 0}'],
        ["raw", '{"id": 999, "output": 0}'],
        ["raw", '{"id": ID, "outp'],
        ["raw", '[{"id": ID, "output": 0}]'],
        ["raw", '{"id": ID}'],
    ],
)
def test_item_that_nobody_can_read_an_answer_for_fails(wish, monkeypatch):
    """A worker that answers in lines that nobody can read does not leave its item running for ever."""
    monkeypatch.setattr(turn, "QUIET", 0.05)
    events = run(items(), calls("answer", wish))
    assert set(reasons(events)) == {2}
    assert reasons(events)[2].startswith("the worker died while it ran this job: exit code 0")


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (["raw", '{"id": ID, "output": NaN}'], "the worker's answer is not JSON"),
        (["nested"], "the worker's answer is not JSON"),
        (["long", 2], "the worker's answer exceeds the output limit"),
        (["raw", '{"id": ID, "error": "bad page"}'], "bad page"),
        (["raw", '{"id": ID, "output": 1, "error": {"code": 5}}'], '{"code": 5}'),
    ],
)
def test_answer_that_is_no_value_fails_its_item_alone(wish, reason):
    """An answer whose id is plain but whose value cannot be kept fails that item, in the same process."""
    handler = items()
    count = starts(handler)
    events = run(handler, calls("answer", wish, "answer"))
    assert reasons(events) == {2: reason}
    assert len(ends(events)) == 3
    assert len(count) == 1


def test_bad_characters_in_an_output_are_replaced_and_counted():
    """A lone surrogate or a byte that is no UTF-8 costs one character, not the output."""
    handler = items()
    odd = ["bytes", list(b'{"id": 2, "output": "a\xffb"}\n')]
    wishes = [["raw", '{"id": ID, "output": "a\\ud83d b \\ud83d\\ude00"}'], odd, "answer"]
    assert values(run(handler, calls(*wishes))) == {1: "a\ufffd b \U0001f600", 2: "a\ufffdb", 3: 3}
    assert handler.oddities == {"with a lone surrogate": 1, "not UTF-8": 1}


def test_answer_twice_counts_once():
    """The first answer stays; the second is counted, also when it comes in the next chunk."""

    async def main(handler):
        first = await collect(handler, calls(["all", ["answer", "a"], ["answer", "b"]], "answer"))
        again = await collect(handler, calls(["all", ["raw", '{"id": 1, "output": "c"}'], "answer"], first=3))
        await handler.close()
        return {**values(first), **values(again)}

    handler = items()
    count = starts(handler)
    assert asyncio.run(main(handler)) == {1: "a", 2: 2, 3: 3}
    assert handler.oddities == {"answered twice": 2}
    assert len(count) == 1


def test_partials_come_before_the_output():
    """What a worker streams is passed on as it is written, then its output with usage and cost."""
    line = '{"id": ID, "output": {"n": 1}, "cost": 0.5, "usage": {"input_tokens": 7, "output_tokens": 2}}'
    wish = ["all", ["raw", '{"id": ID, "partial": "h\u00e4"}'], ["raw", '{"id": ID, "partial": "\\n"}'], ["raw", line]]
    events = run(items(), calls(wish), Lane.STREAM)
    assert text(events) == "hä\n".encode()
    end = ends(events)[1]
    assert (end.value, end.cost, end.usage.input_tokens, end.usage.output_tokens) == (b'{"n": 1}', 0.5, 7, 2)
    assert isinstance(events[0], Started)
    assert events[-1] is end


@pytest.mark.parametrize("cost", ["-1", "1e200", "1e12000", "true"])
def test_wrong_cost_or_usage_is_counted_and_left_out(cost):
    """A cost below nothing or beyond all sense, or usage that is no object, does not spoil the output."""
    handler = items()
    wish = ["raw", f'{{"id": ID, "output": 1, "cost": {cost}, "usage": "much"}}']
    end = ends(run(handler, calls(wish)))[1]
    assert (end.value, end.cost, end.usage) == (b"1", None, None)
    assert handler.oddities == {"with a wrong cost": 1, "with a wrong usage": 1}


def test_partial_output_over_the_limit_is_dropped_and_told():
    """Partial output is kept up to the limit, and the end says how much was not."""
    piece = ["raw", json.dumps({"id": 1, "partial": "x" * 400})]
    handler = worker(*program("items"), runner=RunnerConfig(output_limit=1000))
    events = run(handler, calls(["all", *[piece] * 4, "answer"]), Lane.STREAM)
    assert len(text(events)) == 1000
    assert ends(events)[1].dropped == 600


def test_log_and_odd_lines_are_logged_as_visible_text(caplog):
    """What a worker writes beside its answers reaches the log with its escape sequences made visible."""
    with caplog.at_level(logging.INFO, "hybridq.worker.w"):
        run(items(), calls(["all", ["raw", "loading \x1b[31m"], ["raw", '{"id": 999, "output": "\x9b"}'], "answer"]))
    assert "loading \\x1b[31m" in caplog.messages
    assert any("a line not JSON (1 so far)" in message for message in caplog.messages) or any(
        "a line for an unknown id (1 so far)" in message for message in caplog.messages
    )
    assert not any("\x1b" in message or "\x9b" in message for message in caplog.messages)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"NaN", b'"a" "b"', b"[" * 100_000, b'{"a": 1}]', b'1, "x": 2'], ids=range(7)
)
def test_input_that_is_not_json_is_refused_alone(data):
    """An input that cannot be sent fails for good by itself and does not spoil the chunk."""
    bad = Call(id=2, attempt=1, input=data)
    found = ends(run(items(), [*calls("answer"), bad, *calls("answer", first=3)]))
    assert isinstance(found[2], Failure)
    assert found[2].reason.startswith("the input is not JSON")
    assert not found[2].retryable
    assert isinstance(found[1], Output)
    assert isinstance(found[3], Output)


def test_input_over_several_lines_is_one_call():
    """JSON with line ends between its tokens is sent as one line."""
    assert values(run(items(), [Call(id=1, attempt=1, input=b'[\n"answer",\r\n 5]\n')])) == {1: 5}


def test_big_inputs_go_in_several_chunks():
    """Inputs of 36 MB in all are written a bounded part at a time, in their order, and all answered."""
    big = calls(*[["answer", n, "x" * 4_000_000] for n in range(9)])
    parts = [chunk.calls for chunk in chunks_of(big)]
    assert [len(part) for part in parts] == [4, 4, 1]
    assert [call for part in parts for call in part] == big
    assert len(values(run(items(), big))) == 9


@pytest.mark.parametrize("lane", Lane)
def test_any_line_filter_is_a_worker(lane):
    """With protocol = "lines" a filter that holds its output back until its input ends is a worker all the same."""
    handler = worker("tr", "a-z", "A-Z", protocol="lines")
    some = ["one", "two ä", {"k": "v"}] if lane is Lane.BATCH else ["one"]
    wanted = ["ONE", "TWO ä", '{"K": "V"}'][: len(some)]
    assert list(values(run(handler, calls(*some), lane)).values()) == wanted


def test_line_filter_is_told_its_start_up():
    """A filter is started for each chunk, and its start-up is told apart from its work."""
    script = "sleep 0.3; exec cat"
    events = run(worker("sh", "-c", script, protocol="lines"), calls("a", "b"))
    assert events[0].startup >= 0.3
    assert sum(end.busy for end in ends(events).values()) < 0.3


def test_line_filter_that_dies_loses_one_line():
    """A filter that dies on a line: the lines before and behind it are answered."""
    script = 'while read -r line; do [ "$line" = bad ] && kill -9 $$; echo "<$line>"; done'
    events = run(worker("sh", "-c", script, protocol="lines"), calls("a", "b", "bad", "c"))
    assert reasons(events) == {3: "the worker died while it ran this job: killed by SIGKILL"}
    assert [end.value for end in ends(events).values() if isinstance(end, Output)] == [b'"<a>"', b'"<b>"', b'"<c>"']


def test_line_filter_gets_one_line_a_call():
    """An input of two lines would shift all answers behind it: it is refused; extra lines are counted."""
    handler = worker("sh", "-c", 'while read -r line; do echo "$line"; done; echo extra', protocol="lines")
    events = run(handler, calls("a", "b\nc", "d"))
    assert reasons(events) == {2: 'the input has more than one line; protocol = "lines" allows only one'}
    assert [end.value for end in ends(events).values() if isinstance(end, Output)] == [b'"a"', b'"d"']


def test_file_name_that_is_no_text_reaches_a_filter():
    """A lone surrogate stands for a byte of a file name and is sent as that byte."""
    handler = worker("od", "-An", "-tx1", protocol="lines")
    assert values(run(handler, [Call(id=1, attempt=1, input=b'"a\\udcff"')])) == {1: " 61 ff 0a"}
