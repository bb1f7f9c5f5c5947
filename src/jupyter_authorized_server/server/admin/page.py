"""`/authz`: the access page, for every front end and for none; its script asks the rest."""

from __future__ import annotations

from pathlib import Path

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import template, web

from ..identity import words

_BUILT = Path(__file__).parent / "static"
_TEMPLATES = template.Loader(str(Path(__file__).parent / "templates"))
#: What the page is made of; `make` builds it from `labextension`.
PARTS = {"page.js": "text/javascript", "page.css": "text/css"}


class _Ours(JupyterHandler):
    """Nothing of the page comes from elsewhere, and no other site may frame it."""

    @property
    def content_security_policy(self) -> str:
        """Upstream's, and: our own script and style, nothing else."""
        policy = super().content_security_policy
        if "Content-Security-Policy" in self.settings.get("headers", {}):
            return policy
        own = (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
            "connect-src 'self'; base-uri 'none'; form-action 'self'"
        )
        return f"{policy}; {own}"


class PageHandler(_Ours):
    """The page. It holds no data: what somebody sees there is asked as themselves."""

    @web.authenticated
    def get(self) -> None:
        """The empty page, and where the server is."""
        # Reading it makes the cookie that a change has to send back.
        assert self.xsrf_token  # noqa: S101  # why: the property sets the cookie
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(
            _TEMPLATES.load("page.html").generate(
                words=words,
                base=self.base_url,
                url=lambda path: url_path_join(self.base_url, path),
                built=(_BUILT / "page.js").exists(),
            )
        )


class PartHandler(_Ours):
    """Script and style of the page."""

    @web.authenticated
    def get(self, name: str) -> None:
        """One of the two files."""
        try:
            text = (_BUILT / name).read_bytes()
        except FileNotFoundError:
            raise web.HTTPError(404) from None
        self.set_header("Content-Type", f"{PARTS[name]}; charset=UTF-8")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-cache")
        self.finish(text)
