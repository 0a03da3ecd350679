"""Builds both packages, installs the wheel into an empty environment and runs the demonstration from it.

`python -m tests.support.release [FOLDER]`: FOLDER gets the packages (dist by default). Needs the index for the builder.
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def build(into: Path) -> Path:
    """Build sdist and wheel into this folder, the wheel from the sdist; the wheel."""
    with tempfile.TemporaryDirectory() as folder:
        builder = environment(Path(folder))
        run(builder, "-m", "pip", "install", "-q", "build")
        run(builder, "-m", "build", "-o", str(into), str(ROOT))
    return max(into.glob("hybrid_queue-*.whl"), key=lambda path: path.stat().st_mtime)


def try_out(wheel: Path) -> str:
    """Install a wheel where nothing else is, and run the demonstration; what that said."""
    with tempfile.TemporaryDirectory() as folder:
        python = environment(Path(folder))
        run(python, "-m", "pip", "install", "-q", str(wheel))
        done = subprocess.run(
            [python.with_name("hybridq"), "demo"], cwd=folder, capture_output=True, text=True, timeout=600, check=True
        )
        return done.stdout


def environment(folder: Path) -> Path:
    """A new environment; its interpreter."""
    venv.create(folder / "env", with_pip=True)
    return folder / "env" / "bin" / "python"


def run(python: Path, *words: str) -> None:
    """Run it, and fail loudly."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HYBRIDQ"))}
    subprocess.run([python, *words], check=True, env=clean, timeout=600)


if __name__ == "__main__":
    made = build(Path(sys.argv[1] if len(sys.argv) > 1 else "dist").absolute())
    sys.stdout.write(f"{made}\n{try_out(made)}")
