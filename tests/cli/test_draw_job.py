"""What is drawn and said of one job or group: sentences, `show`, `explain`, and its history."""

from hybridq.job import Decision, Forecast, Mode, State
from hybridq.reason import Reason, said
from hybridq.status.snapshot import Head
from hybridq_cli.draw import job, words

from ..support.snapshots import HOSTILE, NOW, busy, group, row, shown


def test_sentences_are_safe_for_a_terminal() -> None:
    """A hostile reason is one visible line in `submit`, `follow` and `drain`."""
    for text in (
        words.promise(Decision(mode=Mode.BATCH, reason=said(HOSTILE)), NOW),
        words.standing(row(1, why=HOSTILE), NOW),
    ):
        assert text.isprintable()
        assert "\\x1b[2J" in text


def test_show_tells_all_that_is_known() -> None:
    """State, reason, times, exit code and the history, in a pipe too."""
    text = shown(job.draw_detail(busy().rows[2], NOW, [(NOW - 60, "started"), (NOW - 2, HOSTILE)]))
    for part in ("899", "✗ failed", "exit code  3", "took       58s", "started", "\\x1b[2J"):
        assert part in text
    assert "\x1b" not in text


def test_what_may_begin_sooner_starts_by_then() -> None:
    """What the load alone holds, and what comes after such, is told to start by its instant, not at it."""
    load = Forecast(mode=Mode.BATCH, start=NOW + 900, finish=NOW + 909, note=Reason("busy", most=True))
    after = Forecast(mode=Mode.BATCH, start=NOW + 900, finish=NOW + 840)
    sure = Forecast(mode=Mode.BATCH, start=NOW + 900, finish=NOW + 909)
    told = [words.promise_words(each, NOW).split(words.SEPARATOR)[0].rpartition(" ")[0] for each in (load, after, sure)]
    assert told == ["starts by", "starts by", "starts"]
    held = row(7, "x", start=NOW + 900, eta=NOW + 460, why_kind="busy")
    assert "starts by" in shown(job.draw_detail(held, NOW))
    head = Head(now=NOW, next_flush=NOW + 900, next_flush_why_kind="busy")
    assert words.next_flush(head, NOW)[0].endswith(", in 15m at most")


def test_one_forecast_is_one_number_wherever_it_is_told() -> None:
    """What a submission says comes `in 2s` is `after 2s` in its explanation."""
    seen = Forecast(mode=Mode.STREAM, first=NOW + 1.6, finish=NOW + 1.6)
    decision = Decision(mode=Mode.STREAM, reason=said("quick"), considered=(seen,))
    assert ", in 2s" in words.promise(decision, NOW)
    assert "after 2s" in shown(job.draw_explanation("7", decision, NOW, NOW), width=200)


def test_explain_compares_the_modes() -> None:
    """Each mode has its line with cost, waiting, total; the chosen one is marked; a missed deadline is said."""
    considered = (
        Forecast(mode=Mode.STREAM, cost=3.0, delay=0.5, total=3.5, first=NOW + 48, first90=NOW + 70),
        Forecast(mode=Mode.BATCH, cost=1.2, delay=0.12, total=1.32, makes_deadline=False, note=said(HOSTILE)),
    )
    decision = Decision(
        mode=Mode.STREAM, reason=said("only this makes it"), considered=considered, warning=said("[/dear]")
    )
    text = shown(job.draw_explanation("7", decision, NOW, NOW + 9000, [(NOW, "submitted")]), width=200)
    lines = text.splitlines()
    chosen = next(line for line in lines if "3.50" in line)
    other = next(line for line in lines if "1.32" in line)
    assert chosen.split()[:5] == ["»", "stream", "3.00", "0.50", "3.50"]
    assert "after 48s ±22s" in chosen
    assert "misses the deadline" in other
    assert "»" not in other
    assert "[/dear]" in text
    assert "\x1b" not in text


def test_the_columns_of_explain_add_up_as_shown() -> None:
    """Money has the same decimals in all of them, a total is the sum of what stands before it, each column is named."""
    parts = {"cost": 0.01404, "surcharge": 0.00313, "delay": 0.00004, "total": 0.01721}
    considered = (
        Forecast(mode=Mode.STREAM, **parts),
        Forecast(mode=Mode.BATCH, cost=0.008643, delay=0.00124, total=0.009883, note=said("later")),
    )
    text = shown(
        job.draw_explanation("7", Decision(mode=Mode.BATCH, reason=said("so"), considered=considered), NOW, NOW),
        width=200,
    )
    titles, streamed, batched = (line.split() for line in text.splitlines()[2:5])
    assert " ".join(titles) == "MODE COST EXTRA FOR LOAD WAITING COSTS TOTAL FIRST RESULT DONE NOTE"
    assert streamed[1:5] == ["0.0140", "0.0031", "<", "0.0001"]
    assert "0.0171" in streamed
    assert batched[2:6] == ["0.0086", "0", "0.0012", "0.0098"]


def test_explain_is_readable_in_forty_columns() -> None:
    """Where the columns would break within words, the modes stand one below another with their names beside them."""
    considered = (
        Forecast(mode=Mode.STREAM, cost=3.0, delay=0.5, total=3.5, first=NOW + 48, first90=NOW + 70, note=said("now")),
        Forecast(mode=Mode.BATCH, cost=1.2, delay=0.12, total=1.32, note=said("later")),
        Forecast(mode=Mode.ADAPTIVE, cost=1.3, makes_deadline=False),
    )
    text = shown(
        job.draw_explanation("7", Decision(mode=Mode.STREAM, reason=said("so"), considered=considered), NOW, NOW),
        width=40,
    )
    lines = [line.strip() for line in text.splitlines()]
    for line in (
        "» stream",
        "waiting costs  0.50",
        "first result   after 48s ±22s",
        "why            later",
        "but            misses the deadline",
    ):
        assert line in lines


def test_what_happened_again_and_again_is_told_once() -> None:
    """Neighbours in a history that say the same are one line, with how often; the same later is another."""
    history = [(NOW + n, "its runner died") for n in range(20)] + [(NOW + 30, "retried"), (NOW + 40, "its runner died")]
    lines = shown(job.draw_detail(busy().rows[2], NOW + 60, history)).splitlines()
    assert [line.rstrip().split("  ")[-1] for line in lines[-3:]] == [
        "its runner died (x20)",
        "retried",
        "its runner died",
    ]


def test_a_signal_is_told_by_its_name() -> None:
    """What a signal ended says which, and the exit code that a shell would give; any other code is itself."""
    killed = row(1, state=State.FAILED, started=NOW - 9, finished=NOW, exit_code=-15, why="killed by SIGTERM")
    assert "exit code  killed by SIGTERM (143)" in shown(job.draw_detail(killed, NOW))
    assert words.why(killed, NOW) == "killed by SIGTERM"
    assert words.exit_words(3) == "3"


def test_a_group_that_ended_says_how_its_parts_ended() -> None:
    """Done and cancelled are both counted, once some of it was done; a group of several modes is `mixed`."""
    counts = {State.DONE: 2084, State.CANCELLED: 916}
    ended = group(1, "g", counts, State.DONE, mixed=True, finished=NOW, why="asked for")
    assert words.why(ended, NOW) == "2,084 done, 916 cancelled · asked for"
    assert words.why(group(1, "g", {State.QUEUED: 5, State.CANCELLED: 2}, State.QUEUED), NOW) == "2 cancelled"
    assert words.why(group(1, "g", {State.DONE: 5}, State.DONE), NOW) == ""
    assert words.standing(ended, NOW).startswith("mixed · done")


def test_a_promise_says_what_it_rests_on() -> None:
    """The part of the cost that is the start, unless that is next to nothing, and what was assumed; unknown is said."""
    told = Forecast(mode=Mode.STREAM, cost=0.16, starting=0.06, finish=NOW + 2, assumed=("2ms a job", "list prices"))
    sentence = words.promise_words(told, NOW)
    assert sentence.endswith("in 2s · costs 0.16, 0.06 of it a start · assumes 2ms a job, list prices")
    assert words.promise_words(Forecast(mode=Mode.STREAM, cost=1.0, starting=0.01), NOW) == "done: unknown · costs 1.00"
