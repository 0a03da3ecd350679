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
complete -c hybridq -n __fish_use_subcommand -a submit -d 'Submit one job, or many.'
complete -c hybridq -n '__hybridq_is submit' -l shell -x  -d 'Run this line with /bin/sh.'
complete -c hybridq -n '__hybridq_is submit' -l each -d 'One job per FILE; its path is the input.'
complete -c hybridq -n '__hybridq_is submit' -l lines -r -F -d 'One job per line; - for standard input.'
complete -c hybridq -n '__hybridq_is submit' -l jsonl -r -F -d 'One job per JSON object: input, options.'
complete -c hybridq -n '__hybridq_is submit' -l mode -x -a 'stream batch adaptive' -d 'Run in this mode; do not let hybridq decide.'
complete -c hybridq -n '__hybridq_is submit' -l audience -x -a 'user background' -d 'Who waits for it: user or background [env var: HYBRIDQ_AUDIENCE].'
complete -c hybridq -n '__hybridq_is submit' -l deadline -x  -d 'When the result is needed: 2h, 06:00, tomorrow 06:00.'
complete -c hybridq -n '__hybridq_is submit' -l priority -x  -d 'Higher runs first.'
complete -c hybridq -n '__hybridq_is submit' -l group -x -k -a '(__hybridq_values groups)' -d 'Add the jobs to this group.'
complete -c hybridq -n '__hybridq_is submit' -l key -x  -d 'Submit only once: the same key gives the same job.'
complete -c hybridq -n '__hybridq_is submit' -l retries -x  -d 'How often to retry a failed job.'
complete -c hybridq -n '__hybridq_is submit' -l timeout -x  -d 'Longest run time of one try.'
complete -c hybridq -n '__hybridq_is submit' -l cwd -x -a '(__fish_complete_directories)' -d 'Run the command in this folder.'
complete -c hybridq -n '__hybridq_is submit' -l env -x  -d 'Keep this variable, or set NAME=VALUE.'
complete -c hybridq -n '__hybridq_is submit' -l env-file -r -F -d 'Read variables, one NAME=VALUE per line.'
complete -c hybridq -n '__hybridq_is submit' -l clean-env -d 'Keep only a few common variables.'
complete -c hybridq -n '__hybridq_is submit' -l stdin -l no-stdin -d 'Pass standard input to the command, or not'
complete -c hybridq -n '__hybridq_is submit' -l max-cost -x  -d 'Avoid modes forecast to cost more; warn if all do.'
complete -c hybridq -n '__hybridq_is submit' -l wait -d 'Wait, then exit with the job\'s exit code.'
complete -c hybridq -n '__hybridq_is submit' -l follow -d 'Show the output as it arrives.'
complete -c hybridq -n '__hybridq_is submit' -l wait-final -d 'Wait for an adaptive job\'s final result, not just its draft.'
complete -c hybridq -n '__hybridq_is submit' -l detach -d 'Never wait, even on a terminal.'
complete -c hybridq -n '__hybridq_is submit' -l dry-run -d 'Show what would happen; submit nothing.'
complete -c hybridq -n '__hybridq_is submit' -l json -d 'Print JSON.'
complete -c hybridq -n '__hybridq_is submit' -l skip-bad -d 'Skip bad inputs, and list them.'
complete -c hybridq -n '__hybridq_is submit' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at submit -eq 1 --shell --lines --jsonl --mode --audience --deadline --priority --group --key --retries --timeout --cwd --env --env-file --max-cost' -k -a '(__hybridq_values handlers)'
complete -c hybridq -n '__hybridq_at submit -ge 2 --shell --lines --jsonl --mode --audience --deadline --priority --group --key --retries --timeout --cwd --env --env-file --max-cost' -F
complete -c hybridq -n __fish_use_subcommand -a status -d 'Show the queue: what runs, what is held until when, and why.'
complete -c hybridq -n '__hybridq_is status' -l watch -s w -d 'Stay open and update the view; ? lists the keys.'
complete -c hybridq -n '__hybridq_is status' -l bell -d 'With --watch: ring the bell when a job fails.'
complete -c hybridq -n '__hybridq_is status' -l json -d 'Print JSON'
complete -c hybridq -n '__hybridq_is status' -l all -s a -d 'Also show all finished jobs.'
complete -c hybridq -n '__hybridq_is status' -l state -x -a 'queued running done failed cancelled' -d 'Only jobs in this state (repeatable).'
complete -c hybridq -n '__hybridq_is status' -l mode -x -a 'stream batch adaptive' -d 'Only jobs in this mode (repeatable).'
complete -c hybridq -n '__hybridq_is status' -l limit -x  -d 'Show at most this many rows (default 40).'
complete -c hybridq -n '__hybridq_is status' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at status -ge 1 --state --mode --limit' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a show -d 'Show everything about one job.'
complete -c hybridq -n '__hybridq_is show' -l json -d 'Print JSON'
complete -c hybridq -n '__hybridq_is show' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at show -eq 1' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a explain -d 'Explain why a job runs the way it does, with the numbers compared.'
complete -c hybridq -n '__hybridq_is explain' -l json -d 'Print JSON'
complete -c hybridq -n '__hybridq_is explain' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at explain -eq 1' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a output -d 'Print a job\'s output, or the output of every job in a group, in order.'
complete -c hybridq -n '__hybridq_is output' -l draft -d 'Print an adaptive job\'s draft.'
complete -c hybridq -n '__hybridq_is output' -l stderr -d 'Print standard error instead.'
complete -c hybridq -n '__hybridq_is output' -l raw -d 'Print bytes unchanged, even on a terminal.'
complete -c hybridq -n '__hybridq_is output' -s o -l output -r -F -d 'Write to this file.'
complete -c hybridq -n '__hybridq_is output' -l json -d 'One JSON object per line: id, state, output, error.'
complete -c hybridq -n '__hybridq_is output' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at output -eq 1 -o --output' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a follow -d 'Print a job\'s output as it arrives, and exit with the job\'s exit code.'
complete -c hybridq -n '__hybridq_is follow' -l raw -d 'Print bytes unchanged, even on a terminal.'
complete -c hybridq -n '__hybridq_is follow' -l wait-final -d 'Wait for an adaptive job\'s final result, not just its draft.'
complete -c hybridq -n '__hybridq_is follow' -l json -d 'Print each event as a JSON object, one per line.'
complete -c hybridq -n '__hybridq_is follow' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at follow -eq 1' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a wait -d 'Wait until jobs finish.'
complete -c hybridq -n '__hybridq_is wait' -l timeout -x  -d 'Give up after this time: 30s, 2h.'
complete -c hybridq -n '__hybridq_is wait' -l wait-final -d 'Wait for an adaptive job\'s final result, not just its draft.'
complete -c hybridq -n '__hybridq_is wait' -l json -d 'Print JSON: jobs, counts, drafts, exit_code.'
complete -c hybridq -n '__hybridq_is wait' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at wait -ge 1 --timeout' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a export -d 'Export jobs with their inputs, outputs, errors, times and costs.'
complete -c hybridq -n '__hybridq_is export' -l format -x -a 'jsonl csv table' -d 'Default: jsonl, or csv if FILE ends in .csv.'
complete -c hybridq -n '__hybridq_is export' -s o -l output -r -F -d 'Write to this file.'
complete -c hybridq -n '__hybridq_is export' -l follow -d 'Give each job as it ends, until all have.'
complete -c hybridq -n '__hybridq_is export' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at export -ge 1 --format -o --output' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a cancel -d 'Cancel jobs that have not finished.'
complete -c hybridq -n '__hybridq_is cancel' -l yes -d 'Do not ask before cancelling all jobs.'
complete -c hybridq -n '__hybridq_is cancel' -l json -d 'Print JSON: the number of jobs and their ids.'
complete -c hybridq -n '__hybridq_is cancel' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at cancel -ge 1' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a retry -d 'Queue failed or cancelled jobs again.'
complete -c hybridq -n '__hybridq_is retry' -l failed -d 'Only failed jobs, not cancelled ones.'
complete -c hybridq -n '__hybridq_is retry' -l json -d 'Print JSON: the number of jobs and their ids.'
complete -c hybridq -n '__hybridq_is retry' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at retry -ge 1' -k -a '(__hybridq_values selectors)'
complete -c hybridq -n __fish_use_subcommand -a clean -d 'Delete old finished jobs and their results.'
complete -c hybridq -n '__hybridq_is clean' -l older -x  -d 'Only jobs that finished longer ago than this'
complete -c hybridq -n '__hybridq_is clean' -l dry-run -d 'Show what would be deleted; delete nothing.'
complete -c hybridq -n '__hybridq_is clean' -l yes -d 'Do not ask.'
complete -c hybridq -n '__hybridq_is clean' -l json -d 'Print JSON: cleaned (jobs), cost, dry_run.'
complete -c hybridq -n '__hybridq_is clean' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at clean -ge 1 --older' -k -a '(__hybridq_values groups)'
complete -c hybridq -n __fish_use_subcommand -a daemon -d 'Run jobs as they come, until stopped.'
complete -c hybridq -n '__hybridq_is daemon' -l json-logs -d 'Log JSON, one object per line.'
complete -c hybridq -n '__hybridq_is daemon' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n __fish_use_subcommand -a drain -d 'Run all held jobs now, then exit.'
complete -c hybridq -n '__hybridq_is drain' -l handler -x -k -a '(__hybridq_values handlers)' -d 'Only jobs of this handler.'
complete -c hybridq -n '__hybridq_is drain' -l group -x -k -a '(__hybridq_values groups)' -d 'Only jobs of this group.'
complete -c hybridq -n '__hybridq_is drain' -l until -x  -d 'Stop at this time: 06:00, 2h.'
complete -c hybridq -n '__hybridq_is drain' -l max-cost -x  -d 'Stop when this much is spent.'
complete -c hybridq -n '__hybridq_is drain' -l quiet -d 'Print only errors.'
complete -c hybridq -n '__hybridq_is drain' -l json -d 'Print totals as JSON; no progress bar.'
complete -c hybridq -n '__hybridq_is drain' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n __fish_use_subcommand -a simulate -d 'Simulate a workload: hybridq beside streaming or batching everything.'
complete -c hybridq -n '__hybridq_is simulate' -l trace -r -F -d 'The trace to simulate, as an option.'
complete -c hybridq -n '__hybridq_is simulate' -l history -d 'Simulate the jobs of your own queue.'
complete -c hybridq -n '__hybridq_is simulate' -l synthetic -d 'Simulate an invented office (default).'
complete -c hybridq -n '__hybridq_is simulate' -l days -x  -d 'Length of --synthetic in days (default 3).'
complete -c hybridq -n '__hybridq_is simulate' -l seed -x  -d 'Seed for all random choices.'
complete -c hybridq -n '__hybridq_is simulate' -l people -x  -d 'Share of jobs with a person waiting, if the trace does not say.'
complete -c hybridq -n '__hybridq_is simulate' -l deadline -x  -d 'Deadline for background jobs without one'
complete -c hybridq -n '__hybridq_is simulate' -l set -x  -d 'Override a setting, such as policy.theta=0.5.'
complete -c hybridq -n '__hybridq_is simulate' -l handler-time -x  -d 'Set a run time: start, job, input, output, call (seconds), batch (share), spread.'
complete -c hybridq -n '__hybridq_is simulate' -l json -d 'Print JSON'
complete -c hybridq -n '__hybridq_is simulate' -l html -r -F -d 'Write an HTML page with charts.'
complete -c hybridq -n '__hybridq_is simulate' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at simulate -eq 1 --trace --days --seed --people --deadline --set --handler-time --html' -F
complete -c hybridq -n __fish_use_subcommand -a report -d 'Report what really ran: cost, savings, waits, promises, failures.'
complete -c hybridq -n '__hybridq_is report' -l since -x  -d 'Only jobs submitted since then: 2d, 06:00, 2026-12-01.'
complete -c hybridq -n '__hybridq_is report' -l html -r -F -d 'Write an HTML page with charts.'
complete -c hybridq -n '__hybridq_is report' -l json -d 'Print JSON'
complete -c hybridq -n '__hybridq_is report' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n __fish_use_subcommand -a doctor -d 'Check the queue and this machine, and say what to do.'
complete -c hybridq -n '__hybridq_is doctor' -l repair -d 'Put right what is safe to: counters, leftover files, jobs of dead runners.'
complete -c hybridq -n '__hybridq_is doctor' -l json -d 'Print JSON: ok, checks (check, level, text, advice).'
complete -c hybridq -n '__hybridq_is doctor' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n __fish_use_subcommand -a backup -d 'Copy the whole queue into one file, while it works.'
complete -c hybridq -n '__hybridq_is backup' -l json -d 'Print JSON: file, jobs, outputs, missing, bytes.'
complete -c hybridq -n '__hybridq_is backup' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at backup -eq 1' -F
complete -c hybridq -n __fish_use_subcommand -a restore -d 'Put a queue back from a backup.'
complete -c hybridq -n '__hybridq_is restore' -l force -d 'Move the jobs that are in the queue aside.'
complete -c hybridq -n '__hybridq_is restore' -l json -d 'Print JSON: jobs, outputs, made, again, aside, config.'
complete -c hybridq -n '__hybridq_is restore' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at restore -eq 1' -F
complete -c hybridq -n __fish_use_subcommand -a handlers -d 'List the configured handlers.'
complete -c hybridq -n '__hybridq_is handlers' -l check -d 'Test each handler.'
complete -c hybridq -n '__hybridq_is handlers' -l json -d 'Print JSON.'
complete -c hybridq -n '__hybridq_is handlers' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n __fish_use_subcommand -a config -d 'Show every setting and where it comes from.'
complete -c hybridq -n '__hybridq_is config' -l path -d 'Print only the path of config.toml.'
complete -c hybridq -n '__hybridq_is config' -l json -d 'Print JSON.'
complete -c hybridq -n '__hybridq_is config' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n __fish_use_subcommand -a completions -d 'Print a shell completion script.'
complete -c hybridq -n '__hybridq_is completions' -l write -x -a '(__fish_complete_directories)' -d 'Write the scripts for all shells to this folder.'
complete -c hybridq -n '__hybridq_is completions' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at completions -eq 1 --write' -a 'bash zsh fish'
complete -c hybridq -n __fish_use_subcommand -a help -d 'Explain a topic: handlers, models, settings, exit codes and more.'
complete -c hybridq -n '__hybridq_is help' -l schema -d 'With json: print its JSON Schema.'
complete -c hybridq -n '__hybridq_is help' -s h -l help -d 'Show this message and exit.'
complete -c hybridq -n '__hybridq_at help -eq 1' 
complete -c hybridq -n __fish_use_subcommand -a demo -d 'Watch hybridq work on Python\'s own library, and see the measured results.'
complete -c hybridq -n '__hybridq_is demo' -l seconds -x  -d 'Seconds until the price falls.'
complete -c hybridq -n '__hybridq_is demo' -l keep -d 'Keep the demo\'s queue, and print its folder.'
complete -c hybridq -n '__hybridq_is demo' -l json -d 'Print the results as JSON; show no live view.'
complete -c hybridq -n '__hybridq_is demo' -l plain -d 'Print lines instead of the live view.'
complete -c hybridq -n '__hybridq_is demo' -s h -l help -d 'Show this message and exit.'
