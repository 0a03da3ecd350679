"""A worker that does to each item what its input says: `"answer"`, `"die"`, `["sleep", 2]`, ..."""

import json
import os
import signal
import sys
import time


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def deed(call, name, *more):
    number = call["id"]
    match name:
        case "answer":
            say(json.dumps({"id": number, "output": more[0] if more else number}) + "\n")
        case "die":
            os.kill(os.getpid(), more[0] if more else signal.SIGSEGV)
        case "die once":
            if not os.path.exists(more[0]):
                open(more[0], "w").close()
                os.kill(os.getpid(), signal.SIGSEGV)
            deed(call, "answer")
        case "exit":
            print("giving up", file=sys.stderr)
            sys.exit(more[0])
        case "sleep":
            time.sleep(more[0])
            deed(call, "answer")
        case "raw":
            say(more[0].replace("ID", str(number)) + "\n")
        case "bytes":
            sys.stdout.flush()
            os.write(1, bytes(more[0]))
        case "long":
            say(f'{{"id": {number}, "output": "')
            for _ in range(more[0]):
                sys.stdout.write("x" * 1_000_000)
            say('"}\n')
        case "nested":
            say(f'{{"id": {number}, "output": {"[" * 100_000 + "]" * 100_000}}}\n')
        case "pid":
            deed(call, "answer", os.getpid())
        case "nothing":
            pass
        case "all":
            for step in more:
                deed(call, *([step] if isinstance(step, str) else step))
        case _:
            raise ValueError(name)


for line in sys.stdin:
    message = json.loads(line)
    for call in message if isinstance(message, list) else [message]:
        wish = call["input"]
        deed(call, *([wish] if isinstance(wish, str) else wish))
