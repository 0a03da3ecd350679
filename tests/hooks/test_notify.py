"""Messages of `notify` gather what happened, reach a webhook, and show no token."""

import json
import sys
from pathlib import Path

from tests.support.building import until
from tests.support.hooked import FAILS, Hooked, webhook


def test_a_webhook_is_told_of_many_failures_in_one_message(tmp_path: Path) -> None:
    """Twenty failures of a group and its end are one message."""
    with webhook() as hook:
        queue = Hooked(tmp_path, f'notify = "{hook.url}"')
        queue.run("submit", "shell", "--lines", "-", "--group", "g", "--mode", "batch", input="false\n" * 20)
        queue.run("drain")
        (got,) = hook.got
    assert got["title"] == "hybridq: 20 failed jobs, 1 ended group"
    assert "job 1 (shell) failed: exit code 1" in got["message"]
    assert "and 9 more events: hybridq status" in got["message"]
    assert got["type"] == "failure"


def test_a_failure_that_was_retried_meanwhile_is_still_one(tmp_path: Path) -> None:
    """The message says that it failed, and what it is by now."""
    with webhook() as hook:
        queue = Hooked(tmp_path, f'notify = "{hook.url}"')
        hook.refusing = 1
        mended = tmp_path / "mended"
        queue.run("submit", "--mode", "batch", "--detach", "--", "test", "-e", str(mended))
        queue.run("drain")
        mended.touch()
        queue.run("retry", "1")
        until(lambda: queue.run("drain").returncode == 0 and bool(hook.got), 30)
    assert "job 1 (shell) failed; now it is done" in hook.got[0]["message"]


def test_a_refused_message_is_sent_again(tmp_path: Path) -> None:
    """After a second; then nothing is left."""
    with webhook() as hook:
        hook.refusing = 1
        queue = Hooked(tmp_path, f'notify = "{hook.url}"')
        with queue.daemon():
            queue.run("submit", "--wait", *FAILS)
            until(lambda: bool(hook.got), 30)
            until(lambda: not queue.left(), 10)
    assert len(hook.got) == 1


def test_a_submission_that_asks_for_it_is_told_of_once(tmp_path: Path) -> None:
    """`--notify` tells when all of that submission has ended, whatever `notify_on` says."""
    with webhook() as hook:
        queue = Hooked(tmp_path, f'notify = "{hook.url}"\nnotify_on = []')
        queue.run("submit", "--wait", "--", "true")
        queue.run("submit", "--notify", "shell", "--lines", "-", "--mode", "batch", input="true\nfalse\n")
        queue.run("drain")
        (got,) = hook.got
    assert got["title"].startswith("hybridq: group shell-2 has ended: 1 done, 1 failed")
    assert queue.rows("SELECT count(*) FROM notice") == [(0,)]


def test_a_submission_whose_parts_end_far_apart_is_told_of_at_its_end(tmp_path: Path) -> None:
    """The first part's end, seconds before the other's, is none of the submission's."""
    go = tmp_path / "go"
    waits = f"until [ -e {go} ]; do sleep 0.1; done"
    with webhook() as hook:
        queue = Hooked(tmp_path, f'notify = "{hook.url}"\nnotify_on = []')
        lines = [{"input": {"shell": "true"}, "priority": 1}, {"input": {"shell": waits}, "priority": 2}]
        with queue.daemon():
            asked = ("submit", "shell", "--mode", "stream", "--notify", "--jsonl", "-")
            assert queue.run(*asked, input="".join(json.dumps(line) + "\n" for line in lines)).returncode == 0
            until(lambda: queue.rows("SELECT 1 FROM outbox"))
            until(lambda: not queue.rows("SELECT 1 FROM outbox"))  # looked at, and not yet
            go.touch()
            until(lambda: bool(hook.got), 30)
    assert "2 done" in hook.got[0]["title"]


def test_notify_without_anybody_to_tell_is_refused(tmp_path: Path) -> None:
    """Before anything is submitted, with the key to set."""
    queue = Hooked(tmp_path, "")
    refused = queue.run("submit", "--notify", "--", "true")
    assert (refused.returncode, "set notify in [hooks]" in refused.stderr) == (78, True)
    assert queue.rows("SELECT count(*) FROM job") == [(0,)]


def test_no_token_is_shown(tmp_path: Path) -> None:
    """Not in `config`, `hooks`, errors or the log, nor stored, when the server cannot be reached."""
    queue = Hooked(tmp_path, 'notify = ["json://127.0.0.1:9/${TOKEN}", "json://me:pass-12345@127.0.0.1:9/T0KEN-99999"]')
    queue.environment |= {"TOKEN": "env-T0KEN-1"}
    said = [queue.run("config"), queue.run("hooks"), queue.run("hooks", "--test", "failed"), queue.run("doctor")]
    queue.run("submit", "--mode", "batch", *FAILS)
    said += [queue.run("drain"), queue.run("hooks"), queue.run("explain", "1")]
    text = "".join(each.stdout + each.stderr for each in said) + str(queue.rows("SELECT error FROM outbox"))
    assert "json://***" in text
    assert not [token for token in ("env-T0KEN-1", "pass-12345", "T0KEN-99999") if token in text]


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    """In the try, and by doctor."""
    queue = Hooked(tmp_path, 'notify = "${NO_SUCH_URL}"')
    assert "NO_SUCH_URL is not set" in queue.run("hooks", "--test", "failed").stderr
    assert "NO_SUCH_URL is not set" in queue.run("doctor").stdout


def test_what_is_no_url_is_refused_and_not_shown(tmp_path: Path) -> None:
    """A token that stands alone may be one."""
    queue = Hooked(tmp_path, 'notify = "T0KEN-99999"')
    refused = queue.run("hooks")
    assert (refused.returncode, "expected URLs such as" in refused.stderr) == (78, True)
    assert "T0KEN" not in refused.stderr


def test_without_apprise_it_says_what_to_install(tmp_path: Path) -> None:
    """A sentence with the command, and exit code 78."""
    queue = Hooked(tmp_path, 'notify = "json://127.0.0.1:9"')
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(
        "import importlib.util as of\nfind = of.find_spec\n"
        "of.find_spec = lambda name, *more: None if name == 'apprise' else find(name, *more)\n"
    )
    refused = queue.run("hooks", env={"PYTHONPATH": str(hidden)})
    assert refused.returncode == 78
    assert "notify needs apprise" in refused.stderr
    assert sys.executable in refused.stderr
