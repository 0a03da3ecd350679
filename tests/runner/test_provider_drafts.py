"""An adaptive job between its draft and its final: who looks is given the draft, and knows that it is one."""

from pathlib import Path

from hybridq.job import Mode, State
from hybridq.queue.cohorts import job
from hybridq.submit import submit
from tests.runner.test_rescue_promotion import DRAFT, known
from tests.support.building import asking, command, daemon, until
from tests.support.llm import served
from tests.support.provider import Provider


def test_the_draft_is_given_while_the_final_is_with_the_provider(provider: Provider, tmp_path: Path) -> None:
    """The batch runs there: `output` and `follow` both print the draft, say what it is, and end."""
    provider.script.status = "never"
    with served(tmp_path, provider, more=DRAFT.format(url=provider.url)) as outlook, daemon(outlook):
        home = outlook.store.home
        submit(outlook, asking("gpt", Mode.ADAPTIVE), b'"q"')
        until(lambda: known(outlook, "batch_0"))
        printed, followed = command(home, "output", "1"), command(home, "follow", "1")
        assert (printed.returncode, printed.stdout) == (0, "answer to q\n")
        assert printed.stderr == "hybridq: this is the draft; the final result is not ready yet\n"
        assert (followed.returncode, followed.stdout) == (0, "answer to q\n")
        assert "this is the draft" in followed.stderr
        command(home, "cancel", "1")


def test_the_draft_is_given_where_the_final_failed(provider: Provider, tmp_path: Path) -> None:
    """The provider refuses the final: `output` prints the draft, names the reason, and ends as the job did."""
    provider.script.refuse = (0,)
    with served(tmp_path, provider, more=DRAFT.format(url=provider.url)) as outlook, daemon(outlook):
        submit(outlook, asking("gpt", Mode.ADAPTIVE), b'"q"')
        until(lambda: job(outlook.store, 1).state is State.FAILED)
        printed = command(outlook.store.home, "output", "1")
    assert (printed.returncode, printed.stdout) == (1, "answer to q\n")
    assert "this is the draft; the final result failed: 400: this line is refused" in printed.stderr
