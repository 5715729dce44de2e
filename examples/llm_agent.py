"""Play a language model behind an OpenAI-compatible server as the agent; here the server is a stub on this machine."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.runner.run import run_benchmark

SAYS = "Hello, this is the travel platform. I hear you. What would be your best rate?"


class Stub(BaseHTTPRequestHandler):
    """Answers every chat completion with one line. Put your own server in its place."""

    def do_POST(self) -> None:
        """Answer one request."""
        self.rfile.read(int(self.headers["Content-Length"]))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": SAYS}}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"object": "chat.completion", "choices": [choice]}).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


def main() -> None:
    """Start the stub and play the bad cases with it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    spec = f"openai:http://127.0.0.1:{server.server_port}/v1#stub?name=stub&max_tokens=256"
    report = run_benchmark([spec], ["bad-cases"], out=Path("out/llm-agent"), progress=False)
    own = report.data["policies"]["stub"]
    print(f"fixed cleanly: {own['metrics']['clean_fix']['value']:.1%}, faults: {len(own['faults'])}")


if __name__ == "__main__":
    main()
