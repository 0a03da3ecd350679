"""A real recogniser hears speech as it is spoken, and again with care at night."""

import importlib.util
import json
import shutil
import subprocess
import time

import pytest

from tests.support.building import HYBRIDQ
from tests.support.handling import WORKERS
from tests.support.user import Queue
from tests.support.workers.phrases import PHRASES

RATE = 32_000  # bytes a second
PIECE = RATE // 10

missing = [program for program in ("espeak-ng", "sox") if shutil.which(program) is None]
missing += [] if importlib.util.find_spec("pocketsphinx") else ["pocketsphinx"]
pytestmark = pytest.mark.skipif(
    bool(missing), reason=f"{', '.join(missing)} missing: apt-get install espeak-ng sox; pip install pocketsphinx"
)

CONFIG = "".join(
    f'[handlers.{name}]\ncall = "speech:{name}"\nsession = true\ncwd = "{WORKERS}"\n' for name in ("live", "careful")
)
CONFIG += 'draft = "live"\n'


def speech(text: str) -> bytes:
    """The text spoken, as raw samples; half a second of silence follows."""
    said = subprocess.run(["espeak-ng", "-v", "en-us", "-s", "130", "--stdout", text], capture_output=True, check=True)
    raw = [
        "sox",
        "-t",
        "wav",
        "-",
        *["-r", "16000", "-c", "1", "-b", "16", "-e", "signed", "-t", "raw", "-", "pad", "0.3", "0.5"],
    ]
    return subprocess.run(raw, input=said.stdout, capture_output=True, check=True).stdout


class Speaker:
    """Somebody who speaks into a session, as fast as one speaks."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: bytes) -> None:
        self._process, self._left = process, said
        self._next = time.monotonic()

    def speak(self, seconds: float) -> None:
        """Go on for so long, or to the end."""
        for _ in range(round(seconds * RATE / PIECE)):
            time.sleep(max(0.0, self._next - time.monotonic()))
            self._next = max(self._next, time.monotonic() - 0.1) + 0.1
            piece, self._left = self._left[:PIECE], self._left[PIECE:]
            self._process.stdin.write(piece)


@pytest.mark.parametrize("phrase", PHRASES)
def test_speech_is_transcribed_while_it_is_spoken_and_refined_by_a_drain(tmp_path, phrase):
    """The first word is read within a second of having been spoken, the draft stands at the end of the speech, and the
    same sound gives the final by a drain."""
    queue = Queue(tmp_path, CONFIG)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [*HYBRIDQ, "pipe", "--session", "careful", "--raw", "100ms"]
    with subprocess.Popen(command, env=queue.environment, bufsize=0, **pipes) as process:
        speaker = Speaker(process, speech(phrase))
        speaker.speak(1.7)  # the first word ends after 0.7 seconds at most
        first = process.stdout.readline().decode().split()
        speaker.speak(3.0)
        out, err = process.communicate(timeout=60)
    words = phrase.split()
    assert first
    assert first[0] in {word for each in PHRASES for word in each.split()}  # it may think better of it
    assert out.decode().splitlines()[-1].split()[:3] == words[:3]
    assert "the final: adaptive" in err.decode()
    assert queue.run("drain").returncode == 0
    final = json.loads(queue.run("output", "1").stdout)
    assert final["text"] == phrase
    assert final["words"][0][0] == words[0]
    assert final["words"][0][1] <= 0.8
