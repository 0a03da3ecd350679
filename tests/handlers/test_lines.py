"""Lines in both directions: framing with a bound, replies that are judged, calls that are encoded."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridq.errors import BadData
from hybridq.handlers.worker.dialect import JsonLines, PlainLines
from hybridq.handlers.worker.lines import HEAD, LOG, LineReader, Oddity, Overlong, Reply, parse_reply
from hybridq.job import Call, Lane


def call(data, number=7):
    """A call with this input."""
    return Call(id=number, attempt=2, input=data)


def pushed(reader, pieces):
    """All lines that these pieces complete."""
    return [line for piece in pieces for line in reader.push(piece)]


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(0, 30)))
def test_lines_do_not_depend_on_how_they_arrive(lines, sizes):
    """Any cutting of the stream gives the same lines, and the rest after the last line end."""
    data = b"\n".join(lines)
    pieces, place = [], 0
    for size in sizes:
        pieces.append(data[place : place + size])
        place += size
    reader = LineReader(1000)
    *whole, rest = data.split(b"\n")
    assert pushed(reader, [*pieces, data[place:]]) == whole
    assert reader.rest() == rest


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_line_over_the_limit_is_cut_and_the_next_is_whole(piece):
    """A line that is too long comes as its head; a line of just the limit, and the one after, come whole."""
    data = b"x" * 101 + b"\n" + b"y" * 100 + b"\nz\n"
    pieces = [data[place : place + piece] for place in range(0, len(data), piece)]
    long, exact, short = pushed(LineReader(100), pieces)
    assert isinstance(long, Overlong)
    assert long == b"x" * 101
    assert (exact, short) == (b"y" * 100, b"z")
    assert not isinstance(exact, Overlong)


def test_endless_line_takes_no_memory():
    """100 MB without a line end are held as no more than the limit."""
    reader = LineReader(100_000)
    size = 65536
    tracemalloc.start()
    for _ in range(1600):
        assert reader.push(b"x" * size) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    assert len(reader.push(b"\n")[0]) <= 2 * HEAD


@given(st.binary())
def test_any_bytes_are_a_reply_or_an_oddity(line):
    """The parser raises on nothing at all."""
    assert isinstance(parse_reply(line), Reply | Oddity)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.integers(0, 200), st.binary(max_size=3))
def test_damaged_replies_are_judged(value, place, damage):
    """A reply with any value, damaged anywhere, is a reply or an oddity; undamaged it gives its value back."""
    line = json.dumps({"id": 7, "output": value}).encode()
    reply = parse_reply(line)
    if isinstance(reply, Reply):
        assert json.loads(bytes(reply.output)) == value
    else:
        assert reply.id == 7 or reply.repaired  # NaN and Infinity, or a lone surrogate
    assert isinstance(parse_reply(line[:place] + damage + line[place + len(damage) :]), Reply | Oddity)


@pytest.mark.parametrize("number", ["true", "1.0", "1e0", '"7"', "null", "[1]", "{}"])
def test_only_an_integer_is_an_id(number):
    """What some languages take for 1 is no id."""
    assert parse_reply(b'{"id": %b, "output": 1}' % number.encode()) == Oddity("with a wrong id")


@pytest.mark.parametrize(
    ("line", "judged"),
    [
        (b"loading the model", Oddity(LOG)),
        (b"", Oddity(LOG)),
        (b'{"level": "info"}', Oddity(LOG)),
        (b"[1, 2]", Oddity(LOG)),
        (b'{"id": 7}', Oddity("without an answer")),
        (b'{"id": 7, "error": null}', Oddity("without an answer")),
        (b'{"id": 7, "output": 1', Oddity("not JSON")),
        (b'{"id": 7, "output": 1}}', Oddity("not JSON", 7)),
        (b'{"id": 7, "output": NaN}', Oddity("not JSON", 7)),
        (b'{"output": NaN, "id": 7}', Oddity("not JSON")),
        (b'{"id": 7, "output": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", Oddity("not JSON", 7)),
        (b"[" * 100_000, Oddity("not JSON")),
        (Overlong(b'{"id": 7, "output": "xxx'), Oddity("too long", 7)),
        (Overlong(b"xxx"), Oddity("too long")),
    ],
    ids=range(14),
)
def test_line_that_is_no_reply_says_why(line, judged):
    """Each kind of bad line has its name, and the call it answered where that is certain."""
    assert parse_reply(line) == judged


@pytest.mark.parametrize(
    ("text", "repaired"),
    [
        (rb"a\ud800b", rb"a\ufffdb"),
        (rb"\udc00\ud83d\ude00", rb"\ufffd\ud83d\ude00"),
        (rb"\ud83d\ud83d\ude00", rb"\ufffd\ud83d\ude00"),
        (rb"\\ud800\ud800", rb"\\ud800\ufffd"),
    ],
)
def test_lone_surrogates_alone_are_replaced(text, repaired):
    """A lone surrogate becomes a replacement character; pairs and escaped backslashes stay."""
    line = b'{"id": 7, "output": "%b"}'
    assert parse_reply(line % text) == Oddity("with a lone surrogate", repaired=line % repaired)
    assert isinstance(parse_reply(line % repaired), Reply)


def test_bytes_that_are_no_utf8_are_replaced():
    """A reply with stray bytes is repaired, so that whoever reads the output later can."""
    assert parse_reply(b'{"id":7,"output":"\xff"}') == Oddity(
        "not UTF-8", repaired='{"id":7,"output":"\ufffd"}'.encode()
    )


@given(JSON)
def test_any_json_is_sent_on_one_line(value):
    """Whatever JSON an input is and however it is laid out, it is sent on one line and reads as the same value."""
    try:
        data = json.dumps(value, indent=1, allow_nan=False).encode()
    except ValueError:
        return
    line = JsonLines().encode(call(data))
    assert b"\n" not in line
    assert json.loads(line) == {"id": 7, "attempt": 2, "input": value}


def test_stream_call_is_an_object_and_a_chunk_an_array():
    """The lane is told by the shape of the line, also for a chunk of one."""
    dialect = JsonLines()
    part = dialect.encode(call(b"1"))
    assert json.loads(dialect.chunk([part], Lane.STREAM)) == {"id": 7, "attempt": 2, "input": 1}
    assert [each["id"] for each in json.loads(dialect.chunk([part], Lane.BATCH))] == [7]


@pytest.mark.parametrize("dialect", [JsonLines(), PlainLines()], ids=["jsonl", "lines"])
@pytest.mark.parametrize("data", [b"", b"{", b"NaN", b"1 2", b"\xff", b'"\n"', b"[" * 100_000], ids=range(7))
def test_input_that_is_no_json_is_refused(dialect, data):
    """An input that would break the line it is sent on is refused with a sentence."""
    with pytest.raises(BadData, match="the input is not JSON"):
        dialect.encode(call(data))


def test_file_names_that_are_no_text_are_sent():
    """A lone surrogate in an input stands for a byte of a file name: it is passed on, not refused."""
    data = json.dumps("caf\udce9").encode()
    assert json.loads(JsonLines().encode(call(data)))["input"] == "caf\udce9"
    assert PlainLines().encode(call(data)) == b"caf\xe9\n"


def test_plain_lines_are_answered_in_order():
    """The first pending call gets the line; a line for nobody is counted."""
    pending = {8: call(b"1", 8), 9: call(b"2", 9)}
    reply = PlainLines().parse(b'a "b"\r', pending)
    assert (reply.id, bytes(reply.output)) == (8, rb'"a \"b\""')
    assert PlainLines().parse(b"a", {}) == Oddity("too many")
    assert PlainLines().parse(Overlong(b"a"), pending) == Oddity("too long", 8)
