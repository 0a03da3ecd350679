"""Hints name what the user has installed: a folder, a wheel, pipx, uv, or the index."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASK = """
import sys
sys.prefix = sys.argv[1]
from hybridq.installed import install_command, upgrade_command
print(install_command("report"))
print(upgrade_command())
"""
PIP = f"{sys.executable} -m pip install"


def told(folder: Path, origin: dict[str, object] | None, *, installer: str = "pip", mark: str = "") -> list[str]:
    """Both commands, told by a process that finds this record of an installation first."""
    record = folder / "hybrid_queue-0.1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: hybrid-queue\nVersion: 0.1.0\n")
    (record / "INSTALLER").write_text(f"{installer}\n")
    if origin:
        (record / "direct_url.json").write_text(json.dumps(origin))
    if mark:
        (folder / mark).touch()
    asked = [sys.executable, "-c", ASK, folder]
    path = {"PYTHONPATH": f"{folder}:{ROOT}"}
    return subprocess.run(asked, cwd=folder, env=path, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize(
    ("origin", "extra", "newer"),
    [
        (None, f"{PIP} 'hybrid-queue[report]'", f"{PIP} -U hybrid-queue"),
        (
            {"url": "file:///src/a%20b", "dir_info": {"editable": True}},
            f"{PIP} -e '/src/a b[report]'",
            f"{PIP} -U -e '/src/a b'",
        ),
        ({"url": "file:///src/q", "dir_info": {}}, f"{PIP} '/src/q[report]'", f"{PIP} -U /src/q"),
        (
            {"url": "file:///d/q.whl", "archive_info": {}},
            f"{PIP} 'hybrid-queue[report] @ file:///d/q.whl'",
            f"{PIP} -U 'hybrid-queue @ file:///d/q.whl'",
        ),
    ],
    ids=["index", "editable", "folder", "wheel"],
)
def test_pip_is_told_what_it_installed(tmp_path: Path, origin: dict[str, object], extra: str, newer: str) -> None:
    """The hints repeat what was given to pip: the folder, the file, or the name on the index."""
    assert told(tmp_path, origin) == [extra, newer]


@pytest.mark.parametrize(
    ("mark", "installer", "extra", "newer"),
    [
        ("pipx_metadata.json", "pip", "pipx install --force 'hybrid-queue[report]'", "pipx upgrade hybrid-queue"),
        ("uv-receipt.toml", "uv", "uv tool install --force 'hybrid-queue[report]'", "uv tool upgrade hybrid-queue"),
        (
            "",
            "uv",
            f"uv pip install --python {sys.executable} 'hybrid-queue[report]'",
            f"uv pip install --python {sys.executable} -U hybrid-queue",
        ),
    ],
    ids=["pipx", "uv tool", "uv pip"],
)
def test_other_installers_are_told_apart(tmp_path: Path, mark: str, installer: str, extra: str, newer: str) -> None:
    """pipx and uv leave a mark of their own; the hint is a command of theirs."""
    assert told(tmp_path, None, installer=installer, mark=mark) == [extra, newer]
