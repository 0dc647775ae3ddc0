"""Correct receiver that uses only the standard library of Python."""

import hashlib
import hmac
import json
import os
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = os.environb[b"SCRUPP_WEBHOOK_SECRET"]
LIMIT = 256 * 1024
handled = set()
lock = threading.Lock()


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self):
        if self.path == "/count":
            self.respond(200, json.dumps({"count": len(handled)}).encode())
        else:
            self.respond(405)

    def do_POST(self):
        try:
            body = self.body()
        except ValueError:
            return self.respond(400, close=True)
        if body is None:
            return self.respond(413, close=True)
        if not self.is_genuine(body):
            return self.respond(401)
        try:
            event = json.loads(body)
            key = (event["process_id"], event["status"])
        except (ValueError, KeyError, TypeError):
            key = body
        with lock:
            handled.add(key)
        self.respond(200)

    def body(self):
        """Returns the body, or None if it is too large."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            length = int(self.headers.get("Content-Length", "0"))
            return self.rfile.read(length) if length <= LIMIT else None
        body = b""
        while size := int(self.rfile.readline(100).split(b";")[0], 16):
            if len(body) + size > LIMIT:
                return None
            body += self.rfile.read(size)
            self.rfile.readline(100)
        self.rfile.readline(100)
        return body

    def is_genuine(self, body):
        signatures = self.headers.get_all("X-Scrupp-Signature", [])
        timestamps = self.headers.get_all("X-Scrupp-Timestamp", [])
        if len(signatures) != 1 or len(timestamps) != 1:
            return False
        signature, timestamp = signatures[0].strip().lower(), timestamps[0].strip()
        if not re.fullmatch("[1-9][0-9]{0,15}", timestamp):
            return False
        content = timestamp.encode() + b"." + body
        expected = "sha256=" + hmac.new(SECRET, content, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature.encode(), expected.encode()):
            return False
        return -60 <= int(time.time()) - int(timestamp) <= 300

    def respond(self, status, body=b"", close=False):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if close:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_address[1], flush=True)
server.serve_forever()
