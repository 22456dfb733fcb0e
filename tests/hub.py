"""A hub of data sets on 127.0.0.1, as far as the library `datasets` asks one for a set that is nothing but files."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlparse

Sets = dict[tuple[str, str], dict[str, bytes]]  # by name and commit: the files


@contextmanager
def serve(sets: Sets) -> Iterator[str]:
    """The address of a hub that has these sets."""

    class Handler(_Handler):
        pass

    Handler.sets = sets
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sets: Sets

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        rest = unquote(urlparse(self.path).path).partition("/datasets/")[2]
        org, name, verb, commit, *inner = [*rest.split("/"), "", "", ""]
        path = "/".join(part for part in inner if part)
        key = (f"{org}/{name}", commit)
        if key[0] not in {name for name, _ in self.sets}:
            self._answer(404, b"", error="RepoNotFound")
        elif key not in self.sets:
            self._answer(404, b"", error="RevisionNotFound")
        elif verb == "revision":
            self._answer(200, json.dumps({"id": key[0], "sha": commit, "siblings": [], "tags": []}).encode())
        elif verb == "tree":
            self._answer(200, json.dumps(self._list(self.sets[key], path)).encode())
        elif path in self.sets[key]:
            self._answer(200, self.sets[key][path], commit=commit)
        else:
            self._answer(404, b"", error="EntryNotFound", commit=commit)

    do_HEAD = do_GET

    def _answer(self, status: int, body: bytes, error: str = "", commit: str = "") -> None:
        self.send_response(status)
        headers = {"Content-Length": str(len(body)), "ETag": f'"{hashlib.sha256(body).hexdigest()}"'}
        headers |= {"X-Error-Code": error} if error else {}
        headers |= {"X-Repo-Commit": commit} if commit else {}
        for header in headers.items():
            self.send_header(*header)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    @staticmethod
    def _list(files: dict[str, bytes], folder: str) -> list[dict[str, Any]]:
        start = f"{folder}/" if folder else ""
        inside = [path.removeprefix(start) for path in files if path.startswith(start)]
        folders = dict.fromkeys(path.partition("/")[0] for path in inside if "/" in path)
        listed = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": start + name} for name in folders]
        for path in (start + name for name in inside if "/" not in name):
            oid = hashlib.sha1(files[path], usedforsecurity=False).hexdigest()
            listed.append({"type": "file", "oid": oid, "size": len(files[path]), "path": path})
        return listed
