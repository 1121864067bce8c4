"""A hub on this machine: as much of its protocol as a download needs, in front of a folder."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from dreamkicks.painter.presets import presets

COMMIT = str(presets()["sd-turbo"].revision)
"""What the tests pull most."""


class FakeHub:
    """Serves `folder` as the repository `repo`; `asked` lists the files that somebody wanted."""

    def __init__(self, server: HTTPServer, repo: str, folder: Path, commit: str = COMMIT) -> None:
        self.folder = folder
        self._commit = commit
        self.asked: set[str] = set()
        self._let_go = threading.Event()
        self._let_go.set()
        self.cut = 0
        """How many bytes are missing at the end of each large file."""
        self._files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        for place in ("", "/revision/main", f"/revision/{commit}"):
            server.expect_request(f"/api/models/{repo}{place}").respond_with_json(
                {"id": repo, "sha": commit, "siblings": []}
            )
        tree = [
            {"type": "file", "path": name, "size": path.stat().st_size, "oid": _etag(path)}
            for name, path in self._files.items()
        ]
        server.expect_request(f"/api/models/{repo}/tree/{commit}").respond_with_json(tree)
        for name in self._files:
            server.expect_request(f"/{repo}/resolve/{commit}/{name}").respond_with_handler(self._send)
        server.expect_request("/let-go").respond_with_handler(self._release)
        self.url = server.url_for("")

    def hold(self) -> None:
        """Keep the weights back until somebody asks for /let-go."""
        self._let_go.clear()

    def _release(self, request: Request) -> Response:
        self._let_go.set()
        return Response("")

    def _send(self, request: Request) -> Response:
        name = request.path.partition(f"/{self._commit}/")[2]
        self.asked.add(name)
        path = self._files[name]
        data = path.read_bytes()
        headers = {"ETag": f'"{_etag(path)}"', "X-Repo-Commit": self._commit, "X-Linked-Size": str(len(data))}
        if request.method == "HEAD":
            return Response(b"", headers={**headers, "Content-Length": str(len(data))})
        if name.endswith(".safetensors"):
            self._let_go.wait(20)
            data = data[: len(data) - self.cut]
        return Response(data, headers=headers)


def run(script: str, home: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python that asks the hub at `url`, and keeps all it keeps in `home`."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "DREAMKICKS_"))
    }
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=inherited
        | {"HF_ENDPOINT": url.rstrip("/"), "HF_HOME": str(home / "hf"), "DREAMKICKS_HOME": str(home), "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


PULL = """
import json, sys
from dreamkicks.errors import DreamkicksError
from dreamkicks.painter import hub

told = []
try:
    folder = hub.pull(hub.hub_preset(sys.argv[1]), lambda done, total: told.append((done, total)))
    print(json.dumps({"folder": str(folder), "told": told}))
except DreamkicksError as error:
    print(json.dumps({"error": type(error).__name__, "message": str(error)}))
"""


def pulled(home: Path, url: str, preset: str = "sd-turbo") -> dict[str, object]:
    """What hub.pull brought in a fresh process."""
    done = run(PULL, home, url, preset)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return dict(json.loads(done.stdout))


def _etag(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
