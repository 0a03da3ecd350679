"""What is in a queue's folder: the database, its counters, who works on it, and what belongs to nobody."""

import os
from collections.abc import Iterator
from contextlib import suppress

from ..errors import CorruptQueue
from ..queue import soundness
from ..queue.cohorts import tally
from ..queue.pipes import left_behind
from ..queue.rescue import rescue
from ..queue.runner import living
from ..queue.store import Store
from ..when import count, file_size, how_many, span
from .finding import Finding, problem, warning, well

COUNTERS, RUNNERS, LEFTOVERS = "counters", "runners", "leftovers"


def check_database(store: Store, now: float) -> Iterator[Finding]:
    """Each thing that is in the folder. A damaged file is told of alone: nothing else of it can be believed."""
    jobs = sum(tally(store).values())
    try:
        said = soundness.damage(store)
    except CorruptQueue as damaged:
        yield problem("database", str(damaged), "")
        return
    if said:
        yield problem("database", f"queue.db is damaged: {said}", "stop the daemon, then: hybridq restore FILE")
        return
    size = file_size(store.home.database.stat().st_size)
    yield well("database", f"queue.db is sound: {how_many(jobs)} in {size}")
    yield _counters(soundness.wrong_counters(store), jobs)
    yield _writers(store)
    yield _others(store)
    yield _runners(store)
    yield from _pipes(store)
    yield _clock(store, now)
    yield _leftovers(store)


def repair(store: Store, findings: list[Finding], now: float) -> None:
    """Put right what was found and can be."""
    wanted = {found.check for found in findings if found.repairable}
    if RUNNERS in wanted:
        rescue(store, now)
    if COUNTERS in wanted:
        soundness.mend_counters(store)
    if LEFTOVERS in wanted:
        soundness.tidy(store)


def _counters(wrong: dict[str, int], jobs: int) -> Finding:
    if not wrong:
        return well(COUNTERS, f"all counters agree with {'the one job' if jobs == 1 else f'the {count(jobs)} jobs'}")
    told = ", ".join(f"{how_many(number, 'row')} of {table}" for table, number in wrong.items())
    return problem(COUNTERS, f"wrong counters: {told}", "hybridq doctor --repair counts anew", repairable=True)


def _pipes(store: Store) -> Iterator[Finding]:
    if left := left_behind(store):
        named = ", ".join(each.name for each in left)
        died = "a pipe died" if len(left) == 1 else f"{count(len(left))} pipes died"
        yield warning("pipes", f"{died} and left items: {named}", "make them jobs: hybridq drain, or start a daemon")


def _writers(store: Store) -> Finding:
    if why := soundness.writable(store):
        return problem("writing", why, "find who holds it: fuser -v " + str(store.home.database))
    return well("writing", "the queue can be written to")


def _others(store: Store) -> Finding:
    """Programs that are not hybridq's and have the file open."""
    import psutil

    found: list[str] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            opened = any(each.path == str(store.home.database) for each in process.open_files())
            if opened and not _ours(process.cmdline()):
                found.append(f"{process.name()} (pid {process.pid})")
    if found:
        return warning("others", f"other programs have queue.db open: {', '.join(found)}", "let them only read it")
    return well("others", "no other program has queue.db open")


def _ours(command: list[str]) -> bool:
    """Whether this is a command of hybridq's: by its name, or by what Python is told to run."""
    return any(os.path.basename(word) == "hybridq" or "hybridq_cli" in word for word in command[:3])


def _runners(store: Store) -> Finding:
    if died := soundness.dead_runners(store):
        left = f"{how_many(died, 'runner')} died and may have left jobs"
        return warning(RUNNERS, left, "any runner queues them again; so does hybridq doctor --repair", repairable=True)
    working = len(living(store))
    return well(RUNNERS, f"{how_many(working, 'runner')} {'works' if working == 1 else 'work'} on the queue; none died")


def _clock(store: Store, now: float) -> Finding:
    if (ahead := soundness.submitted_ahead(store, now)) > 1.0:
        return warning(
            "clock",
            f"a submission is dated {span(ahead)} from now: the clock was ahead, or is behind",
            "check the clock (timedatectl); a daemon that starts counts such submissions as made now",
        )
    return well("clock", "no submission is dated after now")


def _leftovers(store: Store) -> Finding:
    found = soundness.leftovers(store)
    if not found.number:
        return well(LEFTOVERS, "no file or submission is left over")
    kinds = (
        (len(found.outputs), "output", "of no job"),
        (found.locks, "lock", "of no runner"),
        (found.submissions, "part", "of submissions that were never accepted"),
        (len(found.files), "file", "of an interrupted backup or restore"),
    )
    told = ", ".join(f"{how_many(number, what)} {whose}" for number, what, whose in kinds if number)
    return warning(LEFTOVERS, f"left over: {told}", "hybridq doctor --repair removes them", repairable=True)
