"""Recruiting platforms' own services, as far as the server asks them, over real HTTP."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

SONA = (
    '<WebstudyCreditResponse xmlns="http://tempuri.org/" '
    'xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><WebstudyCreditResult '
    'xmlns:a="http://schemas.datacontract.org/2004/07/emsdotnet.sonasystems">{}'
    "</WebstudyCreditResult></WebstudyCreditResponse>"
)
GRANTED = SONA.format(
    '<a:Errors i:nil="true"/><a:Result><a:credit_status>G</a:credit_status></a:Result>'
)
REFUSED = SONA.format(
    "<a:Errors><a:ErrorReport><a:ErrorMessage>Invalid survey_code</a:ErrorMessage>"
    '</a:ErrorReport></a:Errors><a:Result i:nil="true"/>'
)


@dataclasses.dataclass
class Platform:
    """What a platform knows, and what it was asked."""

    url: str = ""
    token: str = "secret-token"
    submissions: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    page_size: int = 100
    failures: list[int] = dataclasses.field(default_factory=list)
    """What to answer the next requests with instead; 0 breaks the line."""
    location: str = ""
    credit: str = GRANTED
    asked: list[str] = dataclasses.field(default_factory=list)
    credentials: list[str | None] = dataclasses.field(default_factory=list)
    keys: dict[str, rsa.RSAPrivateKey] = dataclasses.field(default_factory=dict)

    def submit(self, session: str, participant: str, status: str = "ACTIVE", **more: Any) -> None:
        """Have a submission, in Prolific's words."""
        study = {"study_id": "a" * 24}
        own = {"id": session, "participant": participant, "status": status}
        self.submissions[session] = study | own | more

    def signed(self, *, kid: str = "first", key: str = "", **claims: Any) -> str:
        """Sign a token as Prolific does, with changes."""
        made = self.key(key or kid)
        now = int(time.time())
        usual = {"iss": "https://www.prolific.com", "iat": now, "exp": now + 120}
        return jwt.encode({**usual, **claims}, made, "RS256", {"kid": kid})

    def key(self, kid: str) -> rsa.RSAPrivateKey:
        """Make a key, or find it."""
        if kid not in self.keys:
            self.keys[kid] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return self.keys[kid]

    def answer(self, target: str) -> tuple[int, str]:
        """Answer a GET."""
        parts = urllib.parse.urlsplit(target)
        query = dict(urllib.parse.parse_qsl(parts.query))
        match parts.path.strip("/").split("/"):
            case ["api", "v1", "submissions"]:
                return self._page(query)
            case ["api", "v1", "submissions", session]:
                found = self.submissions.get(session)
                return (404, "{}") if found is None else (200, json.dumps(found))
            case ["api", "v1", "assignments", project]:
                rows = [
                    {
                        "assignmentId": one["id"],
                        "participantId": one["participant"],
                        "status": one["status"],
                        "completion": {"completionCode": one.get("code")},
                    }
                    for one in self.submissions.values()
                    if one["study_id"] == project
                ]
                return 200, json.dumps({"assignments": rows})
            case [".well-known", "study", "jwks.json"]:
                return 200, json.dumps({"keys": self._public()})
            case ["services", "SonaAPI.svc", "WebstudyCredit"]:
                return 200, self.credit
        return 404, "{}"

    def _page(self, query: dict[str, str]) -> tuple[int, str]:
        rows = [
            {**one, "participant_id": one["participant"], "study_code": one.get("code")}
            for one in self.submissions.values()
            if one["study_id"] == query["study"]
        ]
        first = (int(query["page"]) - 1) * self.page_size
        some = rows[first : first + self.page_size]
        more = first + self.page_size < len(rows)
        following = {"href": f"{self.url}/api/v1/submissions/?page=2"} if more else {"href": None}
        return 200, json.dumps({"results": some, "_links": {"next": following}})

    def _public(self) -> list[dict[str, Any]]:
        made = jwt.get_algorithm_by_name("RS256")
        return [
            json.loads(made.to_jwk(key.public_key())) | {"kid": kid, "alg": "RS256", "use": "sig"}
            for kid, key in self.keys.items()
            if not kid.startswith("hidden")
        ]


@contextlib.contextmanager
def running() -> Iterator[Platform]:
    """Serve a platform for as long as the block lasts."""
    platform = Platform()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            platform.asked.append(self.path)
            given = self.headers.get("Authorization") or self.headers.get("X-API-KEY")
            platform.credentials.append(given)
            status, body = platform.answer(self.path)
            if self.path.startswith("/api/") and platform.token not in (given or ""):
                status, body = 401, "{}"
            if platform.failures:
                status, body = platform.failures.pop(0), "{}"
            if status == 0:
                self.connection.close()
                return
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", platform.location)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        platform.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield platform
        finally:
            server.shutdown()
            thread.join()
