"""The variables that a command sees: those of the shell that submits it, but for secrets, which are told."""

from pathlib import Path

import pytest

from hybridq.asking.surroundings import surroundings
from hybridq.job import Environment, Happening
from hybridq.queue.cohorts import cohort, environment
from hybridq.reason import said
from tests.support.user import Queue


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


def kept(queue: Queue, number: int = 1) -> Environment:
    """What is kept with the jobs of a cohort."""
    return environment(queue.outlook.store, cohort(queue.outlook.store, number))


def printed(queue: Queue, *args: str, script: str, **env: str) -> tuple[str, str]:
    """What a command prints that is followed, and what is said beside it."""
    done = queue.run("submit", *args, "--follow", "--", "sh", "-c", script, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def test_command_sees_the_variables_of_its_shell(queue: Queue) -> None:
    """What a job obviously needs, and whatever else is exported where it is submitted, is in its environment."""
    needed = {
        "CUDA_VISIBLE_DEVICES": "1",
        "PYTHONPATH": "lib",
        "VIRTUAL_ENV": "/v",
        "MY_SETTING": "a=b\nc",
        "EMPTY": "",
    }
    script = 'echo "$CUDA_VISIBLE_DEVICES,$PYTHONPATH,$VIRTUAL_ENV,$MY_SETTING,${EMPTY-unset}"'
    assert printed(queue, script=script, **needed)[0] == "1,lib,/v,a=b\nc,"


def test_what_looks_like_a_secret_is_left_out_and_told(queue: Queue) -> None:
    """A key, a token or a password in a value is in no file of the queue; submit and show say which were left out."""
    secrets = {"OPENAI_API_KEY": "hunter2-key", "DB": "postgres://me:hunter2-pw@host/db", "GH_PAT": "hunter2-pat"}
    out, err = printed(queue, script='echo "[$OPENAI_API_KEY$DB$GH_PAT]"', **secrets)
    assert out == "[]"
    assert "DB, GH_PAT and OPENAI_API_KEY are not passed to the job" in err
    assert "DB GH_PAT OPENAI_API_KEY: it looks like a secret" in queue.run("show", "1").stdout
    assert not [path for path in queue.folder.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]


def test_secret_that_is_named_is_kept_and_told(queue: Queue) -> None:
    """Who names a variable gets it, and is told where it lies; its value is shown nowhere."""
    out, err = printed(queue, "--env", "MY_TOKEN", "--env", "A=x=1", script='echo "$MY_TOKEN $A"', MY_TOKEN="hunter2")
    assert out == "hunter2 x=1"
    assert "MY_TOKEN is stored in the queue's file" in err
    assert "hunter2" not in err + queue.run("show", "1").stdout


@pytest.mark.parametrize(
    ("name", "left_out"),
    [
        ("TOKENIZERS_PARALLELISM", False),
        ("KEYBOARD", False),
        ("SSH_AUTH_SOCK", False),
        ("XAUTHORITY", False),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("HF_TOKEN", True),
        ("PGPASSWORD", True),
        ("MYSQL_PWD", True),
        ("secretx", True),
    ],
)
def test_names_that_only_sound_like_a_secret_are_kept(name: str, left_out: bool) -> None:
    """A setting whose name shares some letters with a key is no secret."""
    around = surroundings({name: "1"}, cwd=None, names=(), file=None, clean=False)
    assert (name in around.left_out, name in around.env) == (left_out, not left_out)


def test_what_is_of_one_process_alone_is_left(queue: Queue) -> None:
    """Variables of this very shell, of a script's counters and of hybridq itself are none of the job's; nor told."""
    own = {"SHLVL": "7", "OLDPWD": "/x", "i": "5", "HYBRIDQ_AUDIENCE": "user", "HYBRIDQ_RUNNER": "x"}
    queue.run("submit", "--", "true", env=own)
    assert not own.keys() & (kept(queue).env.keys() | kept(queue).left_out.keys())


def test_clean_environment_holds_the_usual_few(queue: Queue) -> None:
    """With --clean-env a command sees the usual few and what was named."""
    queue.run("submit", "--clean-env", "--env", "B=2", "--", "true", env={"LC_TIME": "C", "OTHER": "x"})
    env = kept(queue).env
    assert (env["LC_TIME"], env["B"], env["HOME"], "OTHER" in env) == ("C", "2", queue.environment["HOME"], False)


def test_file_of_variables(queue: Queue, tmp_path: Path) -> None:
    """--env-file gives variables by line, with quotes, comments and names alone; --env goes before it."""
    (tmp_path / "env").write_text('# mine\n\nexport A="b c"\nB=x=y\nC\nD=\n')
    out, _ = printed(
        queue, "--env-file", str(tmp_path / "env"), "--env", "B=2", script='echo "$A,$B,$C,${D-no}"', C="c"
    )
    assert out == "b c,2,c,"


def test_file_of_variables_that_is_none_is_refused(queue: Queue, tmp_path: Path) -> None:
    """A line that is no variable is named, and nothing is submitted."""
    (tmp_path / "env").write_text("A=1\nthis is none\n")
    done = queue.run("submit", "--env-file", str(tmp_path / "env"), "--", "true")
    assert (done.returncode, queue.rows("SELECT count(*) FROM job")) == (65, [(0,)])
    assert "line 2 of" in done.stderr


def test_variable_that_is_no_text_stops_nobody(queue: Queue) -> None:
    """A variable in another encoding that nobody asked for is left out, and told by show."""
    assert printed(queue, script='echo "[$ODD]"', ODD="\udcff")[0] == "[]"
    assert "ODD: it is not UTF-8" in queue.run("show", "1").stdout


def test_same_variables_are_stored_once_and_go_with_their_jobs(queue: Queue) -> None:
    """Jobs with options of their own share what they see; when the last of them is cleaned away, that goes, too."""
    lines = "".join(f'{{"input": "echo $BIG", "priority": {n % 10}}}\n' for n in range(200))
    queue.run("submit", "shell", "--jsonl", "-", input=lines, env={"BIG": "x" * 1000})
    assert queue.rows("SELECT count(*), (SELECT count(DISTINCT environment) FROM cohort) FROM environment") == [(1, 1)]
    assert queue.rows("SELECT max(length(request)) < 1000 FROM cohort") == [(1,)]
    queue.run("cancel", "all", "--yes")
    queue.run("clean", "all", "--yes")
    queue.run("clean", "--older", "0s", "--yes")
    assert queue.rows("SELECT count(*) FROM cohort") == [(0,)]
    assert queue.rows("SELECT count(*) FROM environment") == [(0,)]


def test_job_that_moves_keeps_its_variables(queue: Queue) -> None:
    """A job that leaves its submission's lane takes its variables along."""
    from hybridq.job import Lane
    from hybridq.queue.lanes import move

    queue.run("submit", "shell", "--lines", "-", "--mode", "batch", input="true\nfalse\n", env={"MINE": "1"})
    move(queue.outlook.store, [1], Lane.STREAM, Happening.PROMOTED, said("a test"), 1.0)
    (number,) = queue.rows("SELECT cohort FROM job WHERE id = 1")[0]
    assert kept(queue, number).env["MINE"] == "1"
