"""Somebody with a browser: keeps cookies, and has no token."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from serving import Answer, Serving


@dataclass
class Browser:
    """Keeps cookies, and sends the token against forged requests that it was given."""

    server: Serving
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, **options: Any) -> Answer:
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {**options.pop("headers", {}), "Cookie": pairs}
        if "_xsrf" in self.cookies:
            headers["X-XSRFToken"] = self.cookies["_xsrf"]
        answer = self.server.request(method, path, headers=headers, **options)
        for line in answer.headers.get_all("Set-Cookie", []):
            name, _, value = line.partition(";")[0].partition("=")
            if value.strip('"'):
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer

    def form(self, path: str, **fields: str) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask("POST", path, body=urlencode(fields).encode(), headers=headers)

    @property
    def login(self) -> str:
        return next((v for name, v in self.cookies.items() if name.startswith("username-")), "")

    def opens(self, link: dict[str, Any]) -> Answer:
        self.ask("GET", link["url"])
        return self.form("/authz/guest", key=link["secret"])

    def sees(self, path: str) -> int:
        return self.ask("GET", f"/api/contents/{path}").status
