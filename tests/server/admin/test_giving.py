"""Nobody hands on more than they hold, whatever mode the server is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import serving

if TYPE_CHECKING:
    from pathlib import Path

RULE = """
@id("viewers-share") permit(principal == Jupyter::User::"mona",
  action == Jupyter::Action::"share", resource in Jupyter::Folder::"/team");
"""


@pytest.mark.parametrize("mode", ["enforce", "shadow"])
def test_what_shadow_mode_lets_through_cannot_be_given(tmp_path: Path, mode: str) -> None:
    (tmp_path / "root" / "team").mkdir(parents=True)
    with serving(
        tmp_path,
        people={"mona": [("viewer", "contents:/team")], "vera": None},
        policy={"share.cedar": RULE},
        config=f"c.JupyterAuthorization.mode = {mode!r}\n",
    ) as server:
        for path in ("/api/authz/grants", "/api/authz/links"):
            for level, status in (("editor", {403}), ("viewer", {200, 201})):
                body = {"level": level, "resource": "contents:/team"}
                if path.endswith("grants"):
                    body["principal"] = "user:vera"
                answer = server.request("POST", path, "mona", json_body=body)
                assert answer.status in status, (path, level, answer.text)
        # In shadow mode alone she may change what is there, as the mode says.
        made = server.request("POST", "/api/contents/team", "mona", json_body={"type": "file"})
        assert made.status == (201 if mode == "shadow" else 403)
