"""The topics of `hybridq help`: each is a page of Markdown in `pages/`.

Rule: what is kept is what is read; `write` makes anew those pages that come from the code.
"""

from pathlib import Path

FOLDER = Path(__file__).with_name("pages")
TOPICS = {
    "deciding": "how hybridq chooses when to run a job, and what a batch waits for",
    "waiting": "jobs that start after others, or at a time",
    "pipes": "streams of lines that never end, answered as they come",
    "handlers": "kinds of work: commands, workers, line filters, Python functions",
    "sessions": "one job whose input keeps arriving: speech, a log, what somebody types",
    "models": "language models: OpenAI, Anthropic and compatible servers",
    "schedules": "work that comes back: times, windows, what was missed",
    "hooks": "who is told when jobs end: commands, messages to desktops, mail, Slack and more",
    "plugins": "how to add a new kind of handler as a Python package",
    "python": "submitting from Python",
    "promises": "what hybridq guarantees, and its limits",
    "watch": "the live view: its keys, filter and actions",
    "words": "what job, lane, flush and other words mean, and the marks in status",
    "json": "what each command prints with --json",
    "sql": "the views for datasette, sqlite-utils and your own queries",
    "exit-codes": "what each exit code means",
    "settings": "every key of config.toml",
    "commands": "every command and option",
}


def text(topic: str) -> str:
    """The page of a topic, as Markdown."""
    return (FOLDER / f"{topic}.md").read_text(encoding="utf-8")


def made() -> dict[str, str]:
    """The pages that come from the code, as they are to be now."""
    from . import json_page, reference, settings  # they import every command, which a reader does without

    return {"settings": settings.page(), "commands": reference.page(), "json": json_page.page()}


def write() -> None:
    """Write the pages that come from the code."""
    for topic, page in made().items():
        (FOLDER / f"{topic}.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    write()
