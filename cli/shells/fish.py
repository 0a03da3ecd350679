"""The completion script for fish, made from the command line as plain data.

fish offers whatever any line of a script allows, so each line says for which command, and which place, it holds.
"""

from collections.abc import Sequence

from .completion import MADE_BY, Command, Option, Place

_HEAD = r"""
function __hybridq_values
    set -l program (commandline -opc)[1]
    $program __complete $argv[1] (string replace -r -- '^--[a-z-]+=' '' (commandline -ct)) 2>/dev/null
end

function __hybridq_is -a command -d 'Whether this is the command, and none of its own follows'
    set -l words (commandline -opc)
    string match -q -- "$command *" "$words[2..] "; and not contains -- -- $words
end

function __hybridq_runs -a command -d 'Whether this is the command, and a command to run follows'
    set -l words (commandline -opc)
    string match -q -- "$command *" "$words[2..] "; and contains -- -- $words
end

function __hybridq_at -a command compare place -d 'Whether that place comes next; the rest are options with values'
    __hybridq_is $command; or return
    set -l next 1
    set -l value no
    set -l own (string split ' ' -- $command)
    set -l after (math 2 + (count $own))
    set -l words (commandline -opc)
    for word in $words[$after..]
        if test $value = yes
            set value no
        else if contains -- $word $argv[4..]
            set value yes
        else if not string match -q -- '-*' $word
            set next (math $next + 1)
        end
    end
    test $next $compare $place
end

function __hybridq_command -d 'What completes the command after --'
    set -l words (commandline -opc)
    set -l dashes (contains -i -- -- $words); or return
    set -e words[1..$dashes]
    complete -C (string join ' ' -- (string escape -- $words) (commandline -ct))
end
"""


def fish(commands: Sequence[Command]) -> str:
    """The script for fish 3 (tried with 3.6)."""
    lines = ["complete -c hybridq -f", "complete -c hybridq -n __fish_use_subcommand -l version -s h -l help"]
    lines.extend(
        f"complete -c hybridq -n '__hybridq_runs {_word(command.name)}' -a '(__hybridq_command)'"
        for command in commands
        if command.runs
    )
    for command in commands:
        if " " not in command.name:
            lines.append(f"complete -c hybridq -n __fish_use_subcommand -a {command.name} -d {_quote(command.help)}")
        here = f"complete -c hybridq -n '__hybridq_is {_word(command.name)}'"
        lines.extend(f"{here} {_option(option)}" for option in command.options)
        lines.extend(_place(command, number) for number, place in enumerate(command.places, 1) if place.kind)
    return f"# fish completion for hybridq, {MADE_BY}\n{_HEAD}\n" + "\n".join(lines) + "\n"


def _option(option: Option) -> str:
    names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
    values = f" {_values(option)}" if option.kind else ""
    required = " -r" if option.kind == "files" else " -x" if option.kind else ""
    return f"{names}{required}{values} -d {_quote(option.help)}"


def _place(command: Command, number: int) -> str:
    place, last = command.places[number - 1], command.repeats and number == len(command.places)
    takes = [name for option in command.options if option.kind for name in option.names]
    at = " ".join(["__hybridq_at", _word(command.name), "-ge" if last else "-eq", str(number), *takes])
    return f"complete -c hybridq -n '{at}' {_values(place)}"


def _values(what: Option | Place) -> str:
    fixed = {
        "nothing": "",
        "files": "-F",
        "folders": "-a '(__fish_complete_directories)'",
        "words": f"-a '{' '.join(what.words)}'",
    }
    return fixed.get(what.kind, f"-k -a '(__hybridq_values {what.kind})'")


def _word(text: str) -> str:
    """As one word within single quotes."""
    return f'"{text}"' if " " in text else text


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
