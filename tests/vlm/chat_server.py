"""A real HTTP server on loopback that speaks the chat-completions protocol, well or badly as a test tells it."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["ChatServer", dict[str, Any], int], tuple[int, dict[str, str], bytes]]
"""Server, request body and number of the request -> status, headers, content."""


class ChatServer:
    """Listens on a free port of 127.0.0.1; keeps every request it got."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer._lock:
                    outer.requests.append(body)
                    outer.headers.append(
                        {"path": self.path, **{key.lower(): item for key, item in self.headers.items()}}
                    )
                    number = len(outer.requests)
                status, headers, content = answer(outer, body, number)
                try:
                    self.send_response(status)
                    for key, value in {**headers, "Content-Length": str(len(content))}.items():
                        self.send_header(key, value)
                    self.end_headers()
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the client gave up, as a test of time-outs wants

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "ChatServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def completion(text: str | None, *, finish: str = "stop") -> tuple[int, dict[str, str], bytes]:
    """Return a good answer."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    content = json.dumps({"object": "chat.completion", "choices": [choice]}).encode()
    return 200, {"Content-Type": "application/json"}, content


def asked(body: dict[str, Any]) -> str:
    """Return the text of the last question."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def saying(text: str | None, *, finish: str = "stop") -> Answer:
    return lambda server, body, number: completion(text, finish=finish)


def status(code: int, headers: dict[str, str] | None = None, content: bytes = b"secret detail") -> Answer:
    return lambda server, body, number: (code, headers or {}, content)


def slow(seconds: float) -> Answer:
    def answer(server: ChatServer, body: dict[str, Any], number: int) -> tuple[int, dict[str, str], bytes]:
        time.sleep(seconds)
        return completion("late.")

    return answer


def first(bad: Answer, count: int, then: Answer) -> Answer:
    """Answer badly a few times, then well."""
    return lambda server, body, number: (bad if number <= count else then)(server, body, number)
