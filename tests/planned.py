"""A contents root, people's grants and rules, and the view that they make; random ones too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.decision_point import DecisionPoint
from jupyter_authorized_server.sandbox.disk import Disk
from jupyter_authorized_server.sandbox.view import View, compile_view
from jupyter_authorized_server.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from jupyter_authorized_server.policy.homes import Homes


@dataclass
class World:
    folder: Path
    rules: str = ""
    homes: Homes | None = None
    grants: list[tuple[str, str]] = field(default_factory=list)
    ends: float | None = None

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def point(self) -> DecisionPoint:
        policy = self.folder / "policy"
        policy.mkdir(parents=True, exist_ok=True)
        (policy / "a.cedar").write_text(self.rules)
        (self.folder / "store.sqlite").unlink(missing_ok=True)
        store = Store.open(f"sqlite:///{self.folder / 'store.sqlite'}")
        store.add_person("ada", password_hash=None, now=0)
        for level, path in self.grants:
            store.add_grant(
                principal="user:ada",
                level=level,
                resource=f"contents:{path}",
                now=0,
                ends=self.ends,
                granted_by="os:test",
            )
        audit = Audit(self.folder / "audit.jsonl")
        return DecisionPoint(store, policy_dir=policy, audit=audit, homes=self.homes)

    def view(self, kept: Iterable[Path] = (), *, may_write: bool = True) -> View:
        point = self.point()
        try:
            disk = Disk(self.root, kept)
            return compile_view(point, point.principal("user:ada"), disk, may_write=may_write)
        finally:
            point.store.close()


PATHS = ["/", "/a", "/a/b", "/a/b/c", "/a/d", "/e", "/e/b"]
LEVELS = ["viewer", "runner", "editor", "contributor", "manager", "admin"]
RULES = st.builds(
    "{} (principal, action{}, resource {}) {};".format,
    st.sampled_from(["permit", "forbid", "forbid"]),
    st.sampled_from(["", ' in Jupyter::Action::"read"', ' == Jupyter::Action::"rename"']),
    st.one_of(
        st.sampled_from(PATHS).map(lambda path: f'in Jupyter::Folder::"{path}"'),
        st.sampled_from(PATHS).map(lambda path: f'== Jupyter::File::"{path}"'),
        st.just("is Jupyter::File"),
    ),
    st.sampled_from(["", "", "when { context.hour >= 0 }", "unless { context.time < 0 }"]),
)
