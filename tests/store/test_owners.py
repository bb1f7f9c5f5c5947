from __future__ import annotations

import pytest

from jupyter_authorized_server.errors import InvalidName
from jupyter_authorized_server.store import Owner, Store


def test_an_owner_is_kept_over_a_restart(store: Store, url: str) -> None:
    kept = store.set_owner("kernels:k1", "user:ada", path="/team/a.ipynb", now=5)
    assert (
        Owner(resource="kernels:k1", principal="user:ada", path="/team/a.ipynb", since=5) == kept
    )
    store.close()
    with Store.open(url) as again:
        assert (kept,) == again.owners()


def test_the_first_owner_stays_the_owner(store: Store) -> None:
    first = store.set_owner("kernels:k1", "user:ada", now=5)
    assert first == store.set_owner("kernels:k1", "user:eve", path="/x", now=6)
    assert (first,) == store.owners()


def test_no_decision_of_another_process_depends_on_owners(store: Store) -> None:
    before = store.revision()
    store.set_owner("kernels:k1", "user:ada", now=5)
    store.remove_owners(["kernels:k1"])
    assert before == store.revision()


def test_what_was_owned_is_forgotten(store: Store) -> None:
    for name in ("a", "b", "c"):
        store.set_owner(f"kernels:{name}", "user:ada", now=5)
    store.remove_owners(["kernels:a", "kernels:c", "kernels:nobody"])
    store.remove_owners([])
    assert ["kernels:b"] == [owner.resource for owner in store.owners()]


def test_the_next_person_of_a_name_owns_nothing_of_the_last(store: Store) -> None:
    store.add_person("ada", now=1)
    store.set_owner("kernels:k1", "user:ada", now=5)
    store.set_owner("kernels:k2", "user:adam", now=5)
    store.remove_person("ada")
    assert ["kernels:k2"] == [owner.resource for owner in store.owners()]


@pytest.mark.parametrize(
    ("resource", "principal", "started_for"),
    [
        ("kernels:", "user:ada", None),
        ("terminals:1", "user:ada", None),
        ("server:", "user:ada", None),
        ("nonsense", "user:ada", None),
        ("kernels:k1", "ada", None),
        ("kernels:k1", "user:ada", "../x"),
    ],
)
def test_what_cannot_be_owned_is_refused(
    store: Store, resource: str, principal: str, started_for: str | None
) -> None:
    with pytest.raises(InvalidName):
        store.set_owner(resource, principal, path=started_for, now=5)
    assert () == store.owners()
