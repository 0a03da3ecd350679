"""How this hybridq was installed, and so which command adds an extra to it or brings a newer one.

Rule: names what the user really has: a folder, a wheel, pipx, uv, or the index; looked up only where something is
missing. The distribution is called `hybrid-queue`: `hybridq` on the index is another program.
"""

import json
import shlex
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

DISTRIBUTION = "hybrid-queue"


def install_command(extra: str) -> str:
    """The command that installs this same hybridq with an extra, such as `report` or `llm`."""
    return _command(extra, upgrade=False)


def upgrade_command() -> str:
    """The command that brings a newer hybridq to where this one is."""
    return _command("", upgrade=True)


def _command(extra: str, *, upgrade: bool) -> str:
    origin, editable = _origin()
    wanted = _requirement(origin, extra)
    if (Path(sys.prefix) / "pipx_metadata.json").exists():
        return f"pipx upgrade {DISTRIBUTION}" if upgrade and not origin else f"pipx install --force {wanted}"
    if (Path(sys.prefix) / "uv-receipt.toml").exists():
        return f"uv tool upgrade {DISTRIBUTION}" if upgrade and not origin else f"uv tool install --force {wanted}"
    pip = f"uv pip install --python {shlex.quote(sys.executable)}" if _installer() == "uv" else _pip()
    return f"{pip} {'-U ' if upgrade else ''}{'-e ' if editable else ''}{wanted}"


def _pip() -> str:
    return f"{shlex.quote(sys.executable)} -m pip install"


def _requirement(origin: str, extra: str) -> str:
    """What is installed, for a shell: a folder with the extra behind it, a file, or the name on the index."""
    extras = f"[{extra}]" if extra else ""
    if origin.endswith((".whl", ".tar.gz")):
        return shlex.quote(f"{DISTRIBUTION}{extras} @ file://{origin}")
    return shlex.quote(f"{origin or DISTRIBUTION}{extras}")


def _origin() -> tuple[str, bool]:
    """(the folder or file that it was installed from, whether that folder is used as it is); "": from the index."""
    try:
        told = json.loads(_metadata("direct_url.json") or "{}")
        url = urlsplit(told.get("url", ""))
        return (unquote(url.path) if url.scheme == "file" else ""), bool(told.get("dir_info", {}).get("editable"))
    except (ValueError, AttributeError):
        return "", False


def _installer() -> str:
    return (_metadata("INSTALLER") or "").strip()


def _metadata(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return distribution(DISTRIBUTION).read_text(name)
    except PackageNotFoundError:  # run from a folder that was never installed
        return None
