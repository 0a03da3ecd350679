"""Traces in every format, what is supposed of them, and the office that is made up."""

from pathlib import Path

import pytest

from hybridq.errors import BadData
from hybridq.job import Audience
from hybridq.simulate.synthetic import synthetic
from hybridq.simulate.workload import MONDAY, TRACE, Suppose, Workload, read_trace


def read(folder: Path, text: str, suppose: Suppose | None = None) -> Workload:
    path = folder / "some.trace"
    path.write_text(text, encoding="utf-8")
    return read_trace(path, suppose or Suppose())


def test_a_csv_trace_says_who_waits_by_when_and_for_which_handler(tmp_path: Path) -> None:
    """Every column of our own format is taken, deadlines as spans from the arrival or as instants."""
    found = read(
        tmp_path,
        "arrival,input_size,output_size,audience,deadline,handler,group\n"
        "2026-03-02T10:00:00+01:00,100,20,user,,ocr,\n"
        "2026-03-02 09:00:10,200,0,background,1h,,scan\n"
        "2026-03-02T09:00:20Z,300,5,background,2026-03-02T12:00:00Z,,scan\n",
    ).arrivals
    at = 1772442000.0  # 2026-03-02 09:00 UTC
    assert [(a.at, a.size, a.output, a.audience) for a in found] == [
        (at, 100, 20, Audience.USER),
        (at + 10, 200, 0, Audience.BACKGROUND),
        (at + 20, 300, 5, Audience.BACKGROUND),
    ]
    assert [a.deadline for a in found] == [None, at + 10 + 3600, at + 3 * 3600]
    assert [(a.handler, a.group) for a in found] == [("ocr", ""), (TRACE, "scan"), (TRACE, "scan")]


def test_the_azure_format_is_read_with_its_seven_decimals(tmp_path: Path) -> None:
    """Tokens in and out are the sizes, times are UTC."""
    (only,) = read(tmp_path, "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n").arrivals
    assert (only.at, only.size, only.output) == (pytest.approx(1700158546.68059, abs=1e-4), 374, 44)


def test_json_lines_count_milliseconds(tmp_path: Path) -> None:
    """`timestamp` is in ms from the start of the trace, which is put on a Monday; other fields do not matter."""
    found = read(
        tmp_path,
        '{"timestamp": 500, "input_length": 7, "output_length": 2, "hash_ids": [1]}\n\n'
        '{"timestamp": 0, "input_length": 5, "output_length": 1}\n',
    ).arrivals
    assert [(a.at - MONDAY, a.size, a.output) for a in found] == [(0.0, 5, 1), (0.5, 7, 2)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a trace"),
        ("a,b\n1,2\n", "not a trace: expected CSV with the columns arrival,input_size"),
        ("arrival,input_size,output_size\n", "has no jobs"),
        ("arrival,input_size,output_size\n1,2,3\nsoon,2,3\n", "line 3"),
        ("arrival,input_size,output_size\n1,-2,3\n", "line 2: expected a size of 0 or more, not -2"),
        ("arrival,input_size,output_size\n1,nan,3\n", "line 2: expected a number, not nan"),
        ("arrival,input_size,output_size\n1e12,2,3\n", "line 2: expected seconds, but"),
        ("arrival,input_size,output_size,audience\n1,2,3,boss\n", "line 2: expected user or background, not 'boss'"),
        ("arrival,input_size,output_size,deadline\n1,2,3,whenever\n", "line 2: 'whenever' is not a time"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46\n", "line 2"),
        ('{"timestamp": 0, "input_length": 5}\n', "line 1: 'output_length' is missing"),
        ('{"timestamp": 0, "input_length": 5, "output_length": 1}\n[]\n', "line 2"),
        ('{"timestamp": 0, "input_length": 5, "output_length": 1}\n{"timestamp"\n', "line 2"),
    ],
)
def test_what_is_no_trace_is_named_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    """Whatever does not fit is BadData that says which line and what was expected."""
    with pytest.raises(BadData, match=says.replace("(", r"\(")):
        read(tmp_path, text)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    """A binary file is refused with a sentence."""
    path = tmp_path / "some.trace"
    path.write_bytes(b"arrival,input_size,output_size\n1,2,\xff\n")
    with pytest.raises(BadData, match="not UTF-8"):
        read_trace(path, Suppose())


def test_what_a_trace_does_not_say_is_drawn_and_noted(tmp_path: Path) -> None:
    """People and deadlines are supposed by the seed, for background jobs alone, and the reader is told."""
    lines = "".join(f"{i},1,1\n" for i in range(1000))
    text = f"arrival,input_size,output_size\n{lines}"
    found = read(tmp_path, text, Suppose(people=0.3, deadlines=(60.0, 600.0), seed=4))
    people = [a for a in found.arrivals if a.audience is Audience.USER]
    assert 250 < len(people) < 350
    assert all(a.deadline is None for a in people)
    assert {round(a.deadline - a.at) for a in found.arrivals if a.deadline} == {60, 600}
    assert len(found.notes) == 2
    assert "30%" in found.notes[0]
    assert found == read(tmp_path, text, Suppose(people=0.3, deadlines=(60.0, 600.0), seed=4))
    assert found != read(tmp_path, text, Suppose(people=0.3, deadlines=(60.0, 600.0), seed=5))


def test_the_made_up_office_is_the_same_for_the_same_seed() -> None:
    """A seed is a workload; another seed is another."""
    assert synthetic(2, 7) == synthetic(2, 7)
    assert synthetic(2, 7) != synthetic(2, 8)


def test_the_made_up_office_has_days_nights_and_bursts() -> None:
    """People ask at office hours, folders come whole, and all of it in the order of time within the days asked for."""
    found = synthetic(5, 3).arrivals
    hours = [(a.at - MONDAY) % 86400 / 3600 for a in found if a.audience is Audience.USER]
    assert sum(9 <= hour < 19 for hour in hours) > 0.8 * len(hours)
    folder = [a for a in found if a.group == "folder 1"]
    assert len(folder) > 1
    assert len({(a.at, a.deadline and a.deadline - a.at) for a in folder}) == 1
    assert [a.at for a in found] == sorted(a.at for a in found)
    assert found[-1].at < MONDAY + 5 * 86400
