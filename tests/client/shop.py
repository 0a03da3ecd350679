"""A web application that answers tickets: each visitor's streams, and what the application asks of itself is batched.

Started as `python -m tests.client.shop PORT` with HYBRIDQ_HOME.
"""

import sys
from collections.abc import AsyncIterator

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

import hybridq

PAGE = """<!doctype html><title>Tickets</title><p id=answer></p><script>
const answer = document.getElementById("answer"), source = new EventSource("/ask?ticket=lost+key");
source.onmessage = event => { answer.textContent += JSON.parse(event.data); };
source.addEventListener("end", event => { answer.dataset.state = event.data; source.close(); });
</script>"""
ANSWER = "import sys, time\nfor word in sys.argv[1].split(): print(word, flush=True); time.sleep(0.3)"
queue = hybridq.Queue()


async def page(_: Request) -> Response:
    """The visitor's page."""
    return HTMLResponse(PAGE)


async def ask(request: Request) -> Response:
    """The answer to a ticket, as server-sent events."""
    ticket = request.query_params["ticket"]
    job = queue.submit("shell", [sys.executable, "-c", ANSWER, f"about {ticket}: found"], audience="user")
    queue.submit("echo", f"file {ticket}")  # nobody waits for that
    return StreamingResponse(events(job), media_type="text/event-stream")


async def events(job: hybridq.Job) -> AsyncIterator[bytes]:
    """Each piece as it comes, then how it ended."""
    async for piece in job.follow():
        yield b"data: " + msgspec.json.encode(piece.text) + b"\n\n"
    yield f"event: end\ndata: {job.state}\n\n".encode()


async def crowd(request: Request) -> Response:
    """Hand in so many tickets that nobody waits for."""
    group = queue.submit_many("echo", (f"ticket {each}" for each in range(int(request.query_params["jobs"]))))
    return JSONResponse({"jobs": len(group)})


ROUTES = [Route("/", page), Route("/ask", ask), Route("/crowd", crowd)]

if __name__ == "__main__":
    uvicorn.run(Starlette(routes=ROUTES), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
