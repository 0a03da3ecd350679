"""The completion scripts for bash and zsh, made from the command line as plain data.

Names of jobs and groups are data in them: no value from the queue is ever expanded or run by the shell
(bash's `compgen -W` would do that, so it gets fixed words only).
"""

from collections.abc import Iterable, Sequence

from .completion import MADE_BY, Command, Option, Place

_BASH = r"""
_hybridq_lines() {
    local line
    while IFS= read -r line; do
        line=$before_word$line
        [[ -n $line ]] && COMPREPLY+=("$(printf %q "${line#"$typed"}")")
    done
}

# The words as a shell sees them: readline has split them at `:` and `=`, too, and replaces the last piece alone.
_hybridq_words() {
    local rest=$COMP_LINE lead next piece=' '
    for next in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        lead=${rest%%[![:space:]]*}
        [[ -z $COMP_LINE && $piece != [:=]* && $next != [:=]* ]] && lead=' '
        rest=${rest#"$lead"} piece=$next
        if [[ -n $lead || ${#words[@]} -eq 0 ]]; then
            words+=("$piece")
            typed=
        else
            typed=${words[-1]}
            words[-1]+=$piece
        fi
        rest=${rest#"$piece"}
    done
    [[ $piece == [:=]* ]] && typed=${words[-1]}
}

_hybridq_values() {
    case $1 in
        '' | nothing) ;;
        files) compopt -o filenames 2>/dev/null; _hybridq_lines < <(compgen -f -- "$word") ;;
        folders) compopt -o filenames 2>/dev/null; _hybridq_lines < <(compgen -d -- "$word") ;;
        commands) _hybridq_lines < <(compgen -c -- "$word") ;;
        words) _hybridq_lines < <(compgen -W "${*:2}" -- "$word") ;;
        *) compopt -o nosort 2>/dev/null
            _hybridq_lines < <("${COMP_WORDS[0]/#\~/$HOME}" __complete "$1" "$word" 2>/dev/null) ;;
    esac
}

_hybridq() {
    local typed='' before_word='' command='' options='' takes='' i position=0
    local -a places=() words=()
    COMPREPLY=()
    _hybridq_words
    local last=$((${#words[@]} - 1))
    local word=${words[last]} before=${words[last - 1]}
    for ((i = 1; i < last; i++)); do
        case ${words[i]} in
            --)
                if ! _hybridq_runs "$command"; then return; fi
                if ((i == last - 1)); then _hybridq_values commands; else _hybridq_values files; fi
                return ;;
            --*=*) ;;
            -*)
                _hybridq_takes "$command" "${words[i]}"
                [[ -n $takes ]] && ((i++)) ;;
            *)
                if [[ -z $command ]]; then command=${words[i]}
                elif _hybridq_within "$command ${words[i]}"; then command+=" ${words[i]}"
                else ((position++)); fi ;;
        esac
    done
    if [[ $word == --*=* ]]; then
        before=${word%%=*} before_word=${word%%=*}= word=${word#*=}
    fi
    if [[ -z $command ]]; then
        _hybridq_values words "$commands"
        return
    fi
    _hybridq_about "$command"
    takes=
    [[ $before == -* ]] && _hybridq_takes "$command" "$before"
    if [[ -n $takes ]]; then
        _hybridq_values $takes
    elif [[ $word == -* ]]; then
        _hybridq_values words "$options"
    elif ((${#places[@]})); then
        ((position < ${#places[@]})) || position=$((${#places[@]} - 1))
        _hybridq_values ${places[position]}
    fi
}

complete -F _hybridq hybridq
"""

_ZSH_VALUES = r"""
_hybridq_values() {
    local -a found
    found=("${(@f)$($_hybridq_program __complete $1 "$PREFIX" 2>/dev/null)}")
    compadd -V hybridq -- ${found:#}
}
"""

_ZSH_COMMAND = """\
            local -i dashes=${words[(ie)--]}
            if (( dashes < CURRENT )); then
                [[ $words[1] == (RUNS) ]] || return
                shift $dashes words
                (( CURRENT -= dashes ))
                _normal
                return
            fi
"""
_ZSH_INNER = """\
            if (( CURRENT > 2 )) && [[ $words[1] == (OUTER) ]]; then
                words[1,2]=("$words[1] $words[2]")
                (( CURRENT-- ))
            fi
"""


def bash(commands: Sequence[Command]) -> str:
    """The script for bash 4 and later."""
    takes = [
        f"        {_alternatives(_word(f'{command.name}{name}') for name in option.names)})"
        f" takes={_quote(_bash_kind(option))} ;;"
        for command in commands
        for option in command.options
        if option.kind
    ]
    about = [
        f"        {_word(command.name)})\n"
        f"            options={_quote(' '.join(n for o in command.options for n in o.names))}\n"
        f"            places=({' '.join(_quote(_bash_kind(place)) for place in command.places)}) ;;"
        for command in commands
    ]
    names = _quote(" ".join([*_firsts(commands), "--help", "--version"]))
    inner = _alternatives(_quote(command.name) for command in commands if " " in command.name)
    head = f"# bash completion for hybridq, {MADE_BY}\n"
    body = _BASH.replace('words "$commands"', f"words {names}")
    return (
        f"{head}\n_hybridq_takes() {{\n    takes=\n    case $1$2 in\n"
        + "\n".join(takes)
        + "\n    esac\n}\n"
        + _is("within", inner)
        + _is("runs", _alternatives(_quote(command.name) for command in commands if command.runs))
        + "\n_hybridq_about() {\n    case $1 in\n"
        + "\n".join(about)
        + "\n    esac\n}\n"
        + body
    )


def zsh(commands: Sequence[Command]) -> str:
    """The script for zsh."""
    listing = "\n".join(f"                {_quote(f'{c.name}:{c.help}')}" for c in commands if " " not in c.name)
    outer = "|".join(dict.fromkeys(c.name.partition(" ")[0] for c in commands if " " in c.name))
    inner = _ZSH_INNER.replace("OUTER", outer) if outer else ""
    runs = "|".join(command.name.replace(" ", "\\ ") for command in commands if command.runs)
    return (
        f"#compdef hybridq\n# zsh completion for hybridq, {MADE_BY}\n{_ZSH_VALUES}\n_hybridq() {{\n"
        "    local _hybridq_program=${~words[1]} context state line\n    typeset -A opt_args\n"
        "    _arguments -C '(- *)'{-h,--help}'[Show this message and exit.]'"
        " '(- *)--version[Print the version.]' '1:command:->command' '*::argument:->argument'\n"
        "    case $state in\n        command)\n            local -a found\n            found=(\n"
        f"{listing}\n            )\n            _describe command found ;;\n"
        f"        argument)\n{inner}{_ZSH_COMMAND.replace('RUNS', runs)}            case $words[1] in\n"
        + "\n".join(_zsh_command(command) for command in commands)
        + '\n            esac ;;\n    esac\n}\n\n_hybridq "$@"\n'
    )


def _bash_kind(what: Option | Place) -> str:
    return " ".join([what.kind, *what.words])


def _alternatives(names: Iterable[str]) -> str:
    return " | ".join(names)


def _is(name: str, inner: str) -> str:
    """A function of bash that says whether its argument is one of these."""
    return f"\n_hybridq_{name}() {{\n    case $1 in\n        {inner}) ;;\n        *) return 1 ;;\n    esac\n}}\n"


def _firsts(commands: Sequence[Command]) -> list[str]:
    """The commands that stand first on a line."""
    return [command.name for command in commands if " " not in command.name]


def _word(text: str) -> str:
    """As one word of a pattern."""
    return _quote(text) if " " in text else text


def _quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh_command(command: Command) -> str:
    specs = [_zsh_option(option) for option in command.options]
    for number, place in enumerate(command.places, 1):
        last = command.repeats and number == len(command.places)
        specs.append(_quote(f"{'*' if last else number}:{place.name}:{_zsh_values(place)}"))
    lines = " \\\n".join(f"                        {spec}" for spec in specs)
    return f"                {_word(command.name)})\n                    _arguments -S \\\n{lines} ;;"


def _zsh_option(option: Option) -> str:
    text = option.help.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    value = f":value:{_zsh_values(option)}" if option.kind else ""
    rest = _quote(f"[{text}]{value}")
    before = "'*'" if option.repeats else f"'({' '.join(option.names)})'"
    spelled = [f"{name}=" if option.kind and name.startswith("--") else name for name in option.names]
    return " ".join(f"{before}{name}{rest}" for name in spelled)


def _zsh_values(what: Option | Place) -> str:
    fixed = {"nothing": " ", "files": "_files", "folders": "_path_files -/", "words": f"({' '.join(what.words)})"}
    return fixed.get(what.kind, f"{{_hybridq_values {what.kind}}}")
