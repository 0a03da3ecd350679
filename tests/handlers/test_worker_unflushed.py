"""Workers as they are: no flush, bars of progress before an answer, a mark of the encoding, JSON over several lines."""

import sys

import pytest

from hybridq.job import Lane

from ..support.handling import calls, items, run, values, worker

BEFORE = {
    "a bar of progress": "\rdecoding  50%|#####     |\rdecoding 100%|##########|",
    "a bar that returned": "\rdecoding 100%|##########|\r",
    "dots": "....",
    "a mark of the encoding": "\ufeff",
    "colours": "\x1b[2K\x1b[0m",
    "a bar with brackets": "[####] 3/3 [00:00<00:00, 12.1it/s]",
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_answer_behind_something_else_on_its_line_counts(before):
    """What a worker wrote before its answer without a line end does not hide the answer, and is counted."""
    handler = items()
    assert values(run(handler, calls("answer", ["raw", before + '{"id": ID, "output": "x"}'], "answer"))) == {
        1: 1,
        2: "x",
        3: 3,
    }
    assert handler.oddities == {"behind something else": 1}


@pytest.mark.parametrize("quoted", ['DEBUG: {"id": ID, "output": 0}', 'got {"id": ID, "error": "no"}', 'x={"id": ID}'])
def test_answer_that_a_log_quotes_is_none(quoted):
    """A line of the log that holds an answer is a line of the log."""
    assert values(run(items(), calls(["all", ["raw", quoted], "answer"]))) == {1: 1}


SPREAD = {
    "indented": '{\n  "id": ID,\n  "output": {\n    "text": "} {",\n    "list": [\n      1\n    ]\n  }\n}',
    "begun": '{"id": ID,\n"output": {"text": "} {", "list": [1]}}',
    "marked": '\ufeff{\r\n"id": ID, "output":\r\n {"text": "} {", "list": [\n1]}}\r',
}


@pytest.mark.parametrize("answer", SPREAD.values(), ids=SPREAD)
def test_answer_over_several_lines_counts(answer):
    """JSON that a worker prints over several lines is one answer; what stands before and after is not touched."""
    handler = items()
    wishes = ["answer", ["all", ["raw", "log {"], ["raw", answer], ["raw", "}"]], "answer"]
    assert values(run(handler, calls(*wishes))) == {1: 1, 2: {"text": "} {", "list": [1]}, 3: 3}


def test_object_that_never_ends_hides_no_answer():
    """Lines that look like the beginning of an object and are none cost no answer behind them, and are counted."""
    handler = items()
    wish = ["all", ["raw", "{"], ["raw", '"level": 1,'], ["raw", '{"id": ID, "output": 5}']]
    assert values(run(handler, calls("answer", wish, ["all", ["raw", "{\n[\n1,"], "answer"]))) == {1: 1, 2: 5, 3: 3}
    assert handler.oddities.pop("not JSON") == 3
    assert handler.oddities.keys() <= {"log"}


@pytest.mark.parametrize("protocol", ["jsonl", "lines"])
def test_worker_that_does_not_flush_answers_at_once(protocol, monkeypatch):
    """A Python program that prints without flushing is a worker as it is: it is told not to keep its output back."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    answer = "json.dumps({'id': json.loads(line)['id'], 'output': 'x'})" if protocol == "jsonl" else "'x'"
    script = f"import json, sys\nfor line in sys.stdin: print({answer})\nimport time\ntime.sleep(600)"
    handler = worker(sys.executable, "-c", script, protocol=protocol, timeout=20)
    assert values(run(handler, calls("in"), Lane.STREAM)) == {1: "x"}


def test_mark_before_the_first_line_is_none_of_it():
    """The mark of the encoding that some systems write first is no part of a line filter's first answer."""
    handler = worker("sh", "-c", r"printf '\357\273\277'; cat", protocol="lines")
    assert values(run(handler, calls("one", "two"))) == {1: "one", 2: "two"}
