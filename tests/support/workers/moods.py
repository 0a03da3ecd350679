"""A worker that is wrong as a whole, in the way that its argument says."""

import json
import os
import signal
import subprocess
import sys
import time


def answer_all(line):
    message = json.loads(line)
    for call in message if isinstance(message, list) else [message]:
        print(json.dumps({"id": call["id"], "output": call["id"]}), flush=True)


def serve():
    for line in sys.stdin:
        answer_all(line)


mood = sys.argv[1]
if mood == "exits at once":
    print("no model here", file=sys.stderr)
    sys.exit(3)
elif mood == "never reads":
    time.sleep(600)
elif mood == "closes its input":
    os.close(0)
    time.sleep(600)
elif mood == "closes its output":
    sys.stdin.readline()
    os.close(1)
    time.sleep(600)
elif mood == "reads and exits":
    sys.stdin.readline()
    sys.exit(0)
elif mood == "reads and dies":
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGSEGV)
elif mood == "ignores SIGTERM":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdin.readline()
    time.sleep(600)
elif mood == "stops itself":
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGSTOP)
elif mood == "leaves a grandchild":
    child = subprocess.Popen(["sleep", "600"])
    line = sys.stdin.readline()
    with open(sys.argv[2], "a") as note:
        note.write(f"{child.pid}\n")
    answer_all(json.dumps(json.loads(line)[:1]))
elif mood == "floods":
    flood = b"x" * 65536
    for _ in range(int(sys.argv[2]) * 16):
        os.write(int(sys.argv[3]), flood)
    os.write(int(sys.argv[3]), b"\n")
    serve()
elif mood == "is slow to start":
    time.sleep(float(sys.argv[2]))
    serve()
elif mood == "shows its environment":
    for line in sys.stdin:
        call = json.loads(line)
        print(json.dumps({"id": call["id"], "output": dict(os.environ)}), flush=True)
