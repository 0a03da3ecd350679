"""The demonstration's worker: what it reads, how it chooses, and how it answers."""

import asyncio
import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridq.demo import digest
from hybridq.job import Call, Failure, Lane, Partial

from ..support.handling import ends, run, values, worker

SOURCE = '''# A queue of work.
"""Jobs wait in a queue, and a queue holds jobs until a runner takes jobs from it."""

NAME = "strings are no prose"


def take(queue):
    """Take the oldest job of the queue and mark it as taken."""
    text = """nor are these # not even here"""
    return queue.pop(0)  # the oldest is first
'''
TEXT = (
    "Cats chase small mice in the old barn. Small mice fear cats and hide. "
    "The old barn burned down in the winter. Dogs like to sleep for a very long time."
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.py"
    path.write_text(SOURCE)
    return path


def calls(*inputs: object) -> list[Call]:
    return [Call(id=number, attempt=1, input=json.dumps(value).encode()) for number, value in enumerate(inputs, 1)]


def digesting() -> object:
    return worker(sys.executable, "-m", "hybridq.demo.digest")


def test_prose_of_python(source: Path) -> None:
    """Of Python source, docstrings and comments are read, and neither code nor other strings."""
    text = digest.prose(str(source))
    for said in ("A queue of work.", "a runner takes jobs", "mark it as taken", "the oldest is first"):
        assert said in text
    for unsaid in ("pop", "no prose", "not even here", '"'):
        assert unsaid not in text


def test_prose_of_other_documents(tmp_path: Path) -> None:
    """Any other document is read whole, whatever bytes it holds."""
    path = tmp_path / "notes.txt"
    path.write_bytes(b"# a heading\n'quoted' \xff text")
    assert digest.prose(str(path)) == "# a heading\n'quoted' � text"


@pytest.mark.parametrize("codec", ["latin-1", "koi8-r", "no-such-codec"])
def test_source_in_its_own_encoding(tmp_path: Path, codec: str) -> None:
    """A source is decoded by its coding line, and one that names no codec is read as UTF-8."""
    path = tmp_path / "old.py"
    letter = "ж" if codec == "koi8-r" else "é"
    data = f"# -*- coding: {codec} -*-\n# {letter}\n"
    path.write_bytes(data.encode("utf-8" if codec == "no-such-codec" else codec))
    assert letter in digest.prose(str(path))


def test_keywords_are_scored_as_rake_says() -> None:
    """A phrase's score is the sum of its words' degree over frequency, times how often it stands there."""
    # small: degree 4 of 2 phrases; mice: 4 of 2; so `small mice` has 2 * (2 + 2), `old barn` the same, words alone 1.
    assert digest.keywords("small mice, old barn, small mice, cats, old barn") == ["old barn", "small mice", "cats"]


def test_summary_prefers_what_the_text_is_about() -> None:
    """The sentence with the most frequent words comes first; one that repeats it is left out for something new."""
    cats, _, barn, dogs = (f"{sentence}." for sentence in TEXT.removesuffix(".").split(". "))
    assert list(digest.summary(TEXT)) == [cats, barn, dogs]


@given(st.text(alphabet=st.sampled_from("abcDEF .!?\n'\"#()"), max_size=300))
def test_a_digest_is_taken_from_the_text(text: str) -> None:
    """Whatever the text, each chosen sentence and each word of a keyword stands in it, and none comes twice."""
    flat = " ".join(text.split())
    chosen, words = list(digest.summary(text)), digest.keywords(text)
    assert all(sentence in flat for sentence in chosen)
    assert all(word in text.lower() for keyword in words for word in keyword.split())
    assert len(set(chosen)) == len(chosen)
    assert len(set(words)) == len(words) <= digest.KEYWORDS


def test_a_stream_call_gets_its_summary_sentence_by_sentence(source: Path) -> None:
    """A stream call is answered with a partial a sentence, before its output, and they are the output's summary."""
    events = run(digesting(), calls(str(source)), Lane.STREAM)
    output = values(events)[1]
    kinds = [type(event).__name__ for event in events if not isinstance(event, Partial)]
    assert [event.data.decode() for event in events if isinstance(event, Partial)] == [
        f"{sentence}\n" for sentence in output["summary"]
    ]
    assert output["summary"]
    assert kinds[-1] == "Output"
    assert output["path"] == str(source)
    assert output["words"] == len(digest._WORD.findall(digest.prose(str(source))))


def test_a_document_that_cannot_be_read_fails_alone(source: Path, tmp_path: Path) -> None:
    """In a chunk each bad input fails with its reason, and the others are digested without partials."""
    events = run(digesting(), calls(str(source), str(tmp_path / "gone.py"), 7, str(tmp_path), None, "\0", str(source)))
    found = ends(events)
    assert [number for number, end in found.items() if isinstance(end, Failure)] == [2, 3, 4, 5, 6]
    assert "No such file" in found[2].reason
    assert json.loads(found[1].value) == json.loads(found[7].value)
    assert not [event for event in events if isinstance(event, Partial)]


def test_its_output_ends_with_its_reader(source: Path) -> None:
    """When nobody reads any more it ends without a word."""

    async def main() -> tuple[int, bytes]:
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", f"{sys.executable} -m hybridq.demo.digest | true", stdin=-1, stderr=-1
        )
        call = json.dumps({"id": 1, "attempt": 1, "input": str(source)}).encode() + b"\n"
        _, said = await process.communicate(call * 20_000)
        return process.returncode or 0, said

    assert asyncio.run(main()) == (0, b"")


def test_serve_answers_each_line() -> None:
    """Lines are answered in their order, objects and arrays alike."""
    asked = '{"id": 1, "attempt": 1, "input": "/none"}\n[{"id": 2, "attempt": 1, "input": "/none"}]\n'
    out = io.StringIO()
    digest.serve(io.StringIO(asked), out)
    assert [json.loads(line)["id"] for line in out.getvalue().splitlines()] == [1, 2]
