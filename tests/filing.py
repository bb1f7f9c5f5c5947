"""A contents root with people and rules, and its manager as each of them meets it."""

from __future__ import annotations

import asyncio
from inspect import isawaitable
from operator import attrgetter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from stores import store_url
from tornado.web import HTTPError
from traitlets import Any as AnyTrait
from traitlets.config import LoggingConfigurable

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.config import JupyterAuthorization
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.server.acting import ACTING, Acting
from jupyter_authorized_server.server.doors import contents
from jupyter_authorized_server.server.doors.authorizer import PolicyAuthorizer
from jupyter_authorized_server.server.wiring import KEY, Wiring
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
@id("secret") forbid(principal == Jupyter::User::"vera", action,
  resource == Jupyter::File::"/team/secret.txt");
@id("secret-of-mona") forbid(principal == Jupyter::User::"mona", action in [
  Jupyter::Action::"list", Jupyter::Action::"open"
], resource == Jupyter::File::"/team/secret.txt");
@id("keep") forbid(principal == Jupyter::User::"mona", action == Jupyter::Action::"delete",
  resource == Jupyter::File::"/team/kept/x.txt");
@id("no-place") forbid(principal == Jupyter::User::"cora", action == Jupyter::Action::"create",
  resource in Jupyter::Folder::"/team/closed/sub");
"""
PEOPLE = {
    "owen": [("manager", "contents:/")],
    "vera": [("viewer", "contents:/team")],
    "edda": [("editor", "contents:/team")],
    "cora": [("contributor", "contents:/team")],
    "mona": [("manager", "contents:/team")],
    "dora": [("viewer", "contents:/deep/one/two")],
    "nora": [],
}


class App(LoggingConfigurable):
    web_app = AnyTrait()


class World:
    """A root, its manager and the people of a policy."""

    def __init__(self, folder: Path, kind: type[Any]) -> None:
        self.root = folder / "root"
        for name in ("team/sub", "team/kept", "team/closed/sub", "hr", "deep/one/two", "deep/no"):
            (self.root / name).mkdir(parents=True)
        for name in (
            "team/a.txt",
            "team/secret.txt",
            "team/sub/c.txt",
            "team/kept/x.txt",
            "hr/pay.txt",
            "deep/one/two/there.txt",
            "deep/one/no.txt",
            "deep/no.txt",
        ):
            (self.root / name).write_text(name)
        self.store = Store.open(store_url(folder, "store.sqlite"))
        for name, levels in PEOPLE.items():
            self.store.add_person(name, password_hash=None, now=0)
            for level, resource in levels:
                self.store.add_grant(
                    principal=f"user:{name}",
                    level=level,
                    resource=resource,
                    now=0,
                    granted_by="os:test",
                )
        policy = folder / "policy"
        policy.mkdir()
        (policy / "rules.cedar").write_text(RULES)
        self.records: list[Any] = []
        self.point = DecisionPoint(
            self.store, policy_dir=policy, audit=Audit(None, self.records.append)
        )
        app = App(web_app=SimpleNamespace(settings={}))
        self.wired = Wiring(config=JupyterAuthorization(), point=self.point)
        self.wired.authorizer = PolicyAuthorizer(parent=app)
        app.web_app.settings[KEY] = self.wired
        self.manager = kind(root_dir=str(self.root), delete_to_trash=False, always_delete_dir=True)
        contents.install(self.manager, self.wired)

    def as_(self, who: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """What the manager answers a person; an HTTPError's status where it raises one."""

        async def run() -> Any:
            request = SimpleNamespace(remote_ip="::1", method="GET", path="/test")
            principal = self.point.principal(f"user:{who}")
            ACTING.set(Acting(principal=principal, request=request))
            return await self.call(method, args, kwargs)

        try:
            return asyncio.run(run())
        except HTTPError as error:
            return error.status_code

    async def call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        found = attrgetter(method)(self.manager)(*args, **kwargs)
        return await found if isawaitable(found) else found

    def names(self, who: str, path: str) -> list[str] | int:
        model = self.as_(who, "get", path)
        return model if isinstance(model, int) else sorted(m["name"] for m in model["content"])


def text(content: str = "new") -> dict[str, Any]:
    return {"type": "file", "format": "text", "content": content}
