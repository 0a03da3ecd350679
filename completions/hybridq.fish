# fish completion for hybridq, made by `hybridq completions --write FOLDER`

function __hybridq_values
    set -l program (commandline -opc)[1]
    $program __complete $argv[1] (string replace -r -- '^--[a-z-]+=' '' (commandline -ct)) 2>/dev/null
end

function __hybridq_is -a command -d 'Whether this is the command, and none of its own follows'
    set -l words (commandline -opc)
    test "$words[2]" = $command; and not contains -- -- $words
end

function __hybridq_at -a command compare place -d 'Whether that place comes next; the rest are options with values'
    __hybridq_is $command; or return
    set -l next 1
    set -l value no
    for word in (commandline -opc)[3..]
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

complete -c hybridq -f
complete -c hybridq -n __fish_use_subcommand -l version -s h -l help
complete -c hybridq -n 'contains -- -- (commandline -opc)' -a '(__hybridq_command)'
complete -c hybridq -n __fish_use_subcommand -a submit -d 'Hand in one job, or many.'
complete -c hybridq -n '__hybridq_is submit' -l shell -x  -d 'Run this with /bin/sh.'
complete -c hybridq -n '__hybridq_is submit' -l each -d 'One job a FILE: its path is the input.'
complete -c hybridq -n '__hybridq_is submit' -l lines -r -F -d 'One job a line; - for standard input.'
complete -c hybridq -n '__hybridq_is submit' -l jsonl -r -F -d 'One job a JSON object: input, options.'
complete -c hybridq -n '__hybridq_is submit' -l mode -x -a 'stream batch adaptive' -d 'How to run it, instead of deciding.'
complete -c hybridq -n '__hybridq_is submit' -l audience -x -a 'user background' -d 'Who waits: user or background [env var: HYBRIDQ_AUDIENCE].'
complete -c hybridq -n '__hybridq_is submit' -l deadline -x  -d '30s, 2h, 06:00, tomorrow 06:00.'
complete -c hybridq -n '__hybridq_is submit' -l priority -x  -d 'Higher goes first.'
complete -c hybridq -n '__hybridq_is submit' -l group -x -k -a '(__hybridq_values groups)' -d 'The group to put it into.'
complete -c hybridq -n '__hybridq_is submit' -l key -x  -d 'The same key again is the same job.'
complete -c hybridq -n '__hybridq_is submit' -l retries -x  -d 'Tries after the first one failed.'
complete -c hybridq -n '__hybridq_is submit' -l timeout -x  -d 'Run time that one try may have.'
complete -c hybridq -n '__hybridq_is submit' -l cwd -x -a '(__fish_complete_directories)' -d 'Where a command runs.'
complete -c hybridq -n '__hybridq_is submit' -l env -x  -d 'A variable to keep, or NAME=VALUE.'
complete -c hybridq -n '__hybridq_is submit' -l env-file -r -F -d 'Variables: NAME=VALUE, one a line.'
complete -c hybridq -n '__hybridq_is submit' -l clean-env -d 'Keep no variables but the usual few.'
complete -c hybridq -n '__hybridq_is submit' -l stdin -l no-stdin -d 'Whether standard input is the command\'s, instead of finding out.'
complete -c hybridq -n '__hybridq_is submit' -l max-cost -x  -d 'Leave out modes forecast to cost more; if all do, warn.'
complete -c hybridq -n '__hybridq_is submit' -l wait -d 'Wait, and end with the job\'s exit code.'
complete -c hybridq -n '__hybridq_is submit' -l follow -d 'Show the output as it comes.'
complete -c hybridq -n '__hybridq_is submit' -l wait-final -d 'As --wait, for an adaptive job\'s final, not only its draft.'
complete -c hybridq -n '__hybridq_is submit' -l detach -d 'Never wait, not even on a terminal.'
complete -c hybridq -n '__hybridq_is submit' -l dry-run -d 'Say what would happen; submit nothing.'
complete -c hybridq -n '__hybridq_is submit' -l json -d 'Print JSON.'
complete -c hybridq -n '__hybridq_is submit' -l skip-bad -d 'Leave out bad inputs, and list them.'
complete -c hybridq -n '__hybridq_is submit' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at submit -eq 1 --shell --lines --jsonl --mode --audience --deadline --priority --group --key --retries --timeout --cwd --env --env-file --max-cost' -k -a '(__hybridq_values handlers)'
complete -c hybridq -n '__hybridq_at submit -ge 2 --shell --lines --jsonl --mode --audience --deadline --priority --group --key --retries --timeout --cwd --env --env-file --max-cost' -F
complete -c hybridq -n __fish_use_subcommand -a status -d 'Show the queue: what runs, what is held until when, and why.'
complete -c hybridq -n '__hybridq_is status' -l watch -s w -d 'Stay, and show each change.'
complete -c hybridq -n '__hybridq_is status' -l bell -d 'With --watch: ring when a job fails.'
complete -c hybridq -n '__hybridq_is status' -l json -d 'One JSON document'
complete -c hybridq -n '__hybridq_is status' -l all -s a -d 'All that ended, too.'
complete -c hybridq -n '__hybridq_is status' -l state -x -a 'queued running done failed cancelled' -d 'Only jobs in this state; may be repeated.'
complete -c hybridq -n '__hybridq_is status' -l mode -x -a 'stream batch adaptive' -d 'Only jobs of this mode; may be repeated.'
complete -c hybridq -n '__hybridq_is status' -l limit -x  -d 'Rows at most; 40 by default.'
complete -c hybridq -n '__hybridq_is status' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at status -ge 1 --state --mode --limit' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a show -d 'Show all that is known of one job.'
complete -c hybridq -n '__hybridq_is show' -l json -d 'One JSON document'
complete -c hybridq -n '__hybridq_is show' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at show -eq 1' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a explain -d 'Tell why a job runs the way it does, with the numbers that were compared.'
complete -c hybridq -n '__hybridq_is explain' -l json -d 'One JSON document'
complete -c hybridq -n '__hybridq_is explain' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at explain -eq 1' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a output -d 'Print what a job has put out; of a group, each job\'s output in order.'
complete -c hybridq -n '__hybridq_is output' -l draft -d 'An adaptive job\'s draft.'
complete -c hybridq -n '__hybridq_is output' -l stderr -d 'What went to standard error.'
complete -c hybridq -n '__hybridq_is output' -l raw -d 'Bytes as they are, on a terminal too.'
complete -c hybridq -n '__hybridq_is output' -s o -l output -r -F -d 'Write it there.'
complete -c hybridq -n '__hybridq_is output' -l json -d 'An object a line: id, state, output, error.'
complete -c hybridq -n '__hybridq_is output' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at output -eq 1 -o --output' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a follow -d 'Print a job\'s output as it arrives, and end as the job ends.'
complete -c hybridq -n '__hybridq_is follow' -l raw -d 'Bytes as they are, on a terminal too.'
complete -c hybridq -n '__hybridq_is follow' -l wait-final -d 'Stay for an adaptive job\'s final, not only its draft.'
complete -c hybridq -n '__hybridq_is follow' -l json -d 'A JSON object for each event, one a line.'
complete -c hybridq -n '__hybridq_is follow' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at follow -eq 1' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a wait -d 'Wait until jobs have ended.'
complete -c hybridq -n '__hybridq_is wait' -l timeout -x  -d 'Wait no longer: 30s, 2h.'
complete -c hybridq -n '__hybridq_is wait' -l wait-final -d 'Stay for an adaptive job\'s final, not only its draft.'
complete -c hybridq -n '__hybridq_is wait' -l json -d 'One JSON object: jobs, counts, drafts, exit_code.'
complete -c hybridq -n '__hybridq_is wait' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at wait -ge 1 --timeout' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a cancel -d 'Cancel jobs that have not ended.'
complete -c hybridq -n '__hybridq_is cancel' -l yes -d 'Do not ask before all is cancelled.'
complete -c hybridq -n '__hybridq_is cancel' -l json -d 'One JSON object: how many, and their ids.'
complete -c hybridq -n '__hybridq_is cancel' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at cancel -ge 1' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a retry -d 'Queue jobs again that failed or were cancelled.'
complete -c hybridq -n '__hybridq_is retry' -l failed -d 'Only what failed, not what was cancelled.'
complete -c hybridq -n '__hybridq_is retry' -l json -d 'One JSON object: how many, and their ids.'
complete -c hybridq -n '__hybridq_is retry' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at retry -ge 1' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a clean -d 'Delete old finished jobs and their results.'
complete -c hybridq -n '__hybridq_is clean' -l older -x  -d 'What ended longer ago than this; 30d, of a group that is named 0s.'
complete -c hybridq -n '__hybridq_is clean' -l dry-run -d 'Say how much it would be; change nothing.'
complete -c hybridq -n '__hybridq_is clean' -l yes -d 'Do not ask.'
complete -c hybridq -n '__hybridq_is clean' -l json -d 'One JSON object: cleaned (jobs), cost, dry_run.'
complete -c hybridq -n '__hybridq_is clean' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at clean -ge 1 --older' -k -a '(__hybridq_values groups)'
complete -c hybridq -n __fish_use_subcommand -a daemon -d 'Run the queue until told to stop.'
complete -c hybridq -n '__hybridq_is daemon' -l json-logs -d 'Log one JSON object a line.'
complete -c hybridq -n '__hybridq_is daemon' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n __fish_use_subcommand -a drain -d 'Run everything that is held now, then end.'
complete -c hybridq -n '__hybridq_is drain' -l handler -x -k -a '(__hybridq_values handlers)' -d 'Only jobs of this handler.'
complete -c hybridq -n '__hybridq_is drain' -l group -x -k -a '(__hybridq_values groups)' -d 'Only jobs of this group.'
complete -c hybridq -n '__hybridq_is drain' -l until -x  -d 'Stop then: 06:00, 2h.'
complete -c hybridq -n '__hybridq_is drain' -l max-cost -x  -d 'Stop when it has cost so much.'
complete -c hybridq -n '__hybridq_is drain' -l quiet -d 'Print nothing but errors.'
complete -c hybridq -n '__hybridq_is drain' -l json -d 'Print the sums as one JSON object; no bar.'
complete -c hybridq -n '__hybridq_is drain' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n __fish_use_subcommand -a simulate -d 'Try a workload on hybridq and on what people do without it.'
complete -c hybridq -n '__hybridq_is simulate' -l trace -r -F -d 'The same.'
complete -c hybridq -n '__hybridq_is simulate' -l history -d 'Simulate your own jobs, as they came.'
complete -c hybridq -n '__hybridq_is simulate' -l synthetic -d 'Simulate a made-up office; the default.'
complete -c hybridq -n '__hybridq_is simulate' -l days -x  -d 'Days of --synthetic; 3 by default.'
complete -c hybridq -n '__hybridq_is simulate' -l seed -x  -d 'What is drawn is drawn from this.'
complete -c hybridq -n '__hybridq_is simulate' -l people -x  -d 'Share of jobs that a person waits for, where a trace does not say.'
complete -c hybridq -n '__hybridq_is simulate' -l deadline -x  -d 'For background jobs without one; of several one is drawn.'
complete -c hybridq -n '__hybridq_is simulate' -l set -x  -d 'Change the configuration, such as policy.theta=0.5.'
complete -c hybridq -n '__hybridq_is simulate' -l handler-time -x  -d 'start, job, input, output (seconds), batch (share), spread.'
complete -c hybridq -n '__hybridq_is simulate' -l json -d 'One JSON document'
complete -c hybridq -n '__hybridq_is simulate' -l html -r -F -d 'Write a page with charts there.'
complete -c hybridq -n '__hybridq_is simulate' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at simulate -eq 1 --trace --days --seed --people --deadline --set --handler-time --html' -F
complete -c hybridq -n __fish_use_subcommand -a report -d 'Sum up what really ran: cost and savings, waits, promises, failures.'
complete -c hybridq -n '__hybridq_is report' -l since -x  -d 'Only jobs submitted since: 2d, 06:00 or 2026-12-01.'
complete -c hybridq -n '__hybridq_is report' -l html -r -F -d 'Write a page with charts there.'
complete -c hybridq -n '__hybridq_is report' -l json -d 'One JSON document'
complete -c hybridq -n '__hybridq_is report' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n __fish_use_subcommand -a handlers -d 'List the configured handlers.'
complete -c hybridq -n '__hybridq_is handlers' -l check -d 'Try each one.'
complete -c hybridq -n '__hybridq_is handlers' -l json -d 'Print JSON.'
complete -c hybridq -n '__hybridq_is handlers' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n __fish_use_subcommand -a config -d 'Show the values in force and where each comes from.'
complete -c hybridq -n '__hybridq_is config' -l path -d 'Print only where config.toml is.'
complete -c hybridq -n '__hybridq_is config' -l json -d 'Print JSON.'
complete -c hybridq -n '__hybridq_is config' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n __fish_use_subcommand -a completions -d 'Print the completion script for a shell.'
complete -c hybridq -n '__hybridq_is completions' -l write -x -a '(__fish_complete_directories)' -d 'Write the scripts of all shells there.'
complete -c hybridq -n '__hybridq_is completions' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at completions -eq 1 --write' -a 'bash zsh fish'
complete -c hybridq -n __fish_use_subcommand -a help -d 'Explain a topic: handlers, models, settings, exit codes and more.'
complete -c hybridq -n '__hybridq_is help' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at help -eq 1' 
complete -c hybridq -n __fish_use_subcommand -a demo -d 'Run the whole product on Python\'s own library, and print what was measured.'
complete -c hybridq -n '__hybridq_is demo' -l seconds -x  -d 'Seconds until the price falls.'
complete -c hybridq -n '__hybridq_is demo' -l keep -d 'Keep its queue, and say where it is.'
complete -c hybridq -n '__hybridq_is demo' -l json -d 'Print the figures as JSON; show nothing meanwhile.'
complete -c hybridq -n '__hybridq_is demo' -l plain -d 'Lines instead of the live view.'
complete -c hybridq -n '__hybridq_is demo' -s h -l help -d 'Show this message and exit.'
