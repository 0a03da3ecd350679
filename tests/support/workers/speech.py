"""Speech as text, by pocketsphinx with the English model of its wheel: at once while somebody speaks, or with care.

Raw pieces are 16 bits a sample, 16,000 samples a second.
"""

import tempfile
from functools import cache

from phrases import PHRASES
from pocketsphinx import Decoder

GRAMMAR = f"#JSGF V1.0;\ngrammar said;\npublic <said> = {' | '.join(PHRASES)};\n"


@cache
def decoder():
    """One that knows these phrases; it takes about a second to make."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsgf") as grammar:
        grammar.write(GRAMMAR)
        grammar.flush()
        return Decoder(samprate=16000, loglevel="FATAL", lm=None, jsgf=grammar.name)


def live(pieces):
    """Tells what it has understood so far whenever that changes, a line each."""
    hears, told = decoder(), ""
    hears.start_utt()
    for piece in pieces:
        hears.process_raw(piece)
        if (text := said(hears)) != told:
            yield f"{text}\n"
            told = text
    hears.end_utt()
    return said(hears)


def careful(pieces):
    """Hears all of it before it understands anything; tells when each word was said, too (seconds)."""
    hears = decoder()
    hears.start_utt()
    hears.process_raw(b"".join(pieces), full_utt=True)
    hears.end_utt()
    words = [(each.word.partition("(")[0], each.end_frame / 100) for each in hears.seg() if each.word[0] != "<"]
    return {"text": said(hears), "words": words}


def said(hears):
    """The text so far."""
    return hears.hyp().hypstr if hears.hyp() else ""
