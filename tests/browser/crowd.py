"""A store with more people and grants in it than anybody looks at one by one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, insert
from stores import store_url

from jupyter_authorized_server.store import schema

if TYPE_CHECKING:
    from pathlib import Path

PEOPLE, GRANTS = 5_000, 100_000


def crowd(home: Path) -> None:
    """Put many people and grants into the store in `home`, past all that checks them."""
    now = time.time()
    engine = create_engine(store_url(home))
    people = [
        {"name": f"p{n}", "display_name": f"Person <b>{n}</b>", "disabled": False, "created": now}
        for n in range(PEOPLE)
    ]
    grants = [
        {
            "id": f"many-{n}",
            "person": f"p{n % PEOPLE}",
            "level": "viewer",
            "resource": "contents:/team" if n < PEOPLE else f"contents:/team/{n}",
            "granted_by": "user:adam",
            "note": "",
            "created": now,
        }
        for n in range(GRANTS)
    ]
    with engine.begin() as connection:
        connection.execute(insert(schema.people), people)
        connection.execute(insert(schema.grants), grants)
    engine.dispose()
