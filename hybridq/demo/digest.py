"""Digests documents: keywords and an extractive summary, as a JSON Lines worker with nothing but Python.

Run it as `python -m hybridq.demo.digest`. An input is the path of a document; the output is `{"path", "words",
"keywords", "summary"}`. Of Python source the docstrings and comments are the prose. A stream call gets its
summary sentence by sentence, as each is chosen. It keeps nothing between two documents and writes no file.

Keywords: RAKE (Rose, Engel, Cramer and Cowley, "Automatic keyword extraction from individual documents",
in Text Mining, 2010). Summary: SumBasic (Nenkova and Vanderwende, "The impact of frequency on
summarization", MSR-TR-2005-101).
"""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any, TextIO

KEYWORDS = 8
SENTENCES = 3
PHRASE = 3  # words of a keyword at most: RAKE's score grows with length, and long ones are half sentences
SHORTEST, LONGEST = 5, 40  # words of a sentence of a summary
LETTERS = 0.75  # share of a sentence that is letters and spaces: less of it is a table or a piece of code

# Comments, docstrings (PEP 257: a triple-quoted string that begins a line), and strings to pass over.
_SOURCE = re.compile(
    r"""^[ \t]*[rRuU]?(?P<quote>\"{3}|'{3})(?P<doc>.*?)(?P=quote)
    | \#(?P<comment>[^\n]*)
    | (?P<other>\"{3}|'{3})(?:\\.|.)*?(?P=other)
    | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_CODING = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.MULTILINE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'(]?[A-Z])|\n\s*\n")
_WHOLE = re.compile(r"[\"'(]?[A-Z].*[.!?][\"')]?")
_WORD = re.compile(r"[A-Za-z][A-Za-z'-]*[A-Za-z]")
_FRAGMENT_END = re.compile(r"[^A-Za-z' -]+|\n\s*\n")
_STOP_WORDS = """
a about above after again against all also an and any are aren't as at be because been before being below
between both but by can can't cannot could couldn't did didn't do does doesn't doing don't done down during each
either else etc even ever every few for from further get gets given had has hasn't have haven't having he her here
hers him his how however if in instead into is isn't it it's its itself just least less let like made make makes
many may maybe me might more most much must my need needs neither never no nor not note now of off on once one only
onto or other others otherwise our out over own per perhaps rather same see set shall she should shouldn't since so
some still such take than that that's the their them then there these they this those though through thus to too two
under until unless up upon us use used uses using usually very via want was wasn't way we well were weren't what
when where whether which while who whom whose why will with within without won't would you your
"""
_STOP = frozenset(_STOP_WORDS.split())


def prose(path: str) -> str:
    """The text of a document; of Python source what is written for people. Raises OSError."""
    with open(path, "rb") as file:
        data = file.read()
    if not path.endswith((".py", ".pyw")):
        return data.decode("utf-8", "replace")
    return _spoken(_decoded(data))


def keywords(text: str) -> list[str]:
    """The phrases that say most about a text, by RAKE: how often they stand there times the sum of their
    words' degree over frequency."""
    phrases: Counter[tuple[str, ...]] = Counter()
    for fragment in _FRAGMENT_END.split(text):
        phrases.update(_phrases(fragment))
    frequency: Counter[str] = Counter()
    degree: Counter[str] = Counter()
    for phrase, times in phrases.items():
        for word in phrase:
            frequency[word] += times
            degree[word] += times * len(phrase)
    score = {p: sum(degree[w] / frequency[w] for w in p) * times for p, times in phrases.items()}
    best = sorted(score, key=lambda phrase: (-score[phrase], phrase))
    return [" ".join(phrase) for phrase in best[:KEYWORDS]]


def summary(text: str) -> Iterator[str]:
    """The sentences that hold most of a text's frequent words, by SumBasic, each as it is chosen."""
    sentences = list(dict.fromkeys(_sentences(text)))
    bags = [frozenset(_content(sentence)) for sentence in sentences]
    counts = Counter(word for sentence in sentences for word in _content(sentence))
    total = sum(counts.values())
    weight = {word: number / total for word, number in counts.items()}
    left = [place for place, bag in enumerate(bags) if bag]
    for _ in range(min(SENTENCES, len(left))):
        topic = max((word for place in left for word in bags[place]), key=lambda word: (weight[word], word))
        about = [place for place in left if topic in bags[place]]
        chosen = max(about, key=lambda place: (sum(map(weight.__getitem__, bags[place])) / len(bags[place]), -place))
        yield sentences[chosen]
        left.remove(chosen)
        for word in bags[chosen]:
            weight[word] **= 2  # what has been said counts less


def answer(call: dict[str, Any], out: TextIO, *, live: bool) -> None:
    """Answer one call; `live` writes each sentence of the summary as it is chosen."""
    number, path = call["id"], call["input"]
    try:
        if not isinstance(path, str):  # a number would be a file that is open already
            raise TypeError("not a path")
        text = prose(path)
    except (OSError, TypeError, ValueError) as problem:
        _write(out, {"id": number, "error": f"cannot read {path!r}: {getattr(problem, 'strerror', None) or problem}"})
        return
    chosen = []
    for sentence in summary(text):
        chosen.append(sentence)
        if live:
            _write(out, {"id": number, "partial": f"{sentence}\n"})
    words = sum(1 for _ in _WORD.finditer(text))
    output = {"path": path, "words": words, "keywords": keywords(text), "summary": chosen}
    _write(out, {"id": number, "output": output})


def serve(lines: TextIO, out: TextIO) -> None:
    """Answer each line until there are no more: an object is a stream call, an array a chunk of a batch."""
    for line in lines:
        asked = json.loads(line)
        for call in asked if isinstance(asked, list) else [asked]:
            answer(call, out, live=isinstance(asked, dict))


def _write(out: TextIO, reply: dict[str, Any]) -> None:
    out.write(f"{json.dumps(reply)}\n")
    out.flush()


def _decoded(data: bytes) -> str:
    """Source as text: by its own coding line (PEP 263), where that names a codec that there is."""
    coding = _CODING.search(b"\n".join(data.split(b"\n", 2)[:2]))
    try:
        return data.decode(coding[1].decode() if coding else "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _spoken(source: str) -> str:
    """Docstrings and comments in their order; comment lines that follow each other are one paragraph."""
    parts: list[str] = []
    last = -1
    for found in _SOURCE.finditer(source):
        if (comment := found["comment"]) is not None:
            joined = not source[last : found.start()].strip() if last >= 0 else False
            parts.append(f"{' ' if joined else chr(10) * 2}{comment.strip('# ')}")
            last = found.end()
        elif (doc := found["doc"]) is not None:
            parts.append("\n\n" + "\n".join(line for line in doc.split("\n") if ">>>" not in line))
            last = -1
    return "".join(parts)


def _phrases(fragment: str) -> Iterator[tuple[str, ...]]:
    """The runs of content words between stop words, where they are short enough."""
    run: list[str] = []
    for word in [*_WORD.findall(fragment.lower()), "the"]:
        if word not in _STOP:
            run.append(word)
            continue
        if 0 < len(run) <= PHRASE:
            yield tuple(run)
        run = []


def _sentences(text: str) -> Iterator[str]:
    for sentence in _SENTENCE_END.split(text):
        line = " ".join(sentence.split())
        letters = sum(char.isalpha() or char == " " for char in line)
        if _WHOLE.fullmatch(line) and SHORTEST <= line.count(" ") + 1 <= LONGEST and letters >= LETTERS * len(line):
            yield line


def _content(sentence: str) -> list[str]:
    return [word for word in _WORD.findall(sentence.lower()) if word not in _STOP]


if __name__ == "__main__":
    try:
        serve(sys.stdin, sys.stdout)
    except (BrokenPipeError, KeyboardInterrupt):
        os._exit(0)  # nobody reads any more, so there is nothing to flush either
