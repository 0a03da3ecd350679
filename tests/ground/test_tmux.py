"""Asking tmux who looks: whatever answers, or does not, nobody waits for it long."""

import os
from pathlib import Path

import pytest

from hybridq.tmux import unseen


@pytest.mark.timeout(20)
@pytest.mark.parametrize("script", ["echo '/dev/pts/9 1 1 1'; exec sleep 60", "exec sleep 60", "yes | head -c 9999999"])
def test_a_tmux_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """One that prints and stays, one that is silent, and one that floods are killed once that is known."""
    fake = tmp_path / "tmux"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o700)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "TMUX": f"{tmp_path}/x,1,0", "TMUX_PANE": "%0"}
    monkeypatch.setenv("PATH", environ["PATH"])
    assert not unseen(environ, "/dev/pts/9")
