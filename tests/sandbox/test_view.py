"""The view holds what the policy allows whatever happens, and nothing it denies."""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planned import LEVELS, PATHS, RULES, World

from jupyter_authorized_server.errors import TooMuch
from jupyter_authorized_server.policy.homes import Homes
from jupyter_authorized_server.policy.model import Resource
from jupyter_authorized_server.sandbox.disk import Disk, server_paths
from jupyter_authorized_server.sandbox.view import (
    BESIDES,
    MAX_FOLDERS,
    READING,
    WRITING,
    View,
    by_rule,
    compile_view,
    covers,
    has_besides,
    narrowed,
)

HEADER = "(principal, action, resource in Jupyter::Folder::"
RUN, NETWORK = 'Jupyter::Action::"run"', 'Jupyter::Action::"network"'


@pytest.fixture
def world(tmp_path: Path) -> World:
    for path in ("team/final", "team/drafts", "other"):
        (tmp_path / "root" / path).mkdir(parents=True)
    (tmp_path / "root" / "team" / "a.txt").write_text("")
    return World(tmp_path)


def test_without_a_grant_nothing_is_in_the_view(world: World) -> None:
    found = world.view()
    assert ((), (), ()) == (found.read_only, found.writable, found.left_out)


@pytest.mark.parametrize(
    ("level", "read_only", "writable"),
    [
        ("viewer", ("/team",), ()),
        ("editor", ("/team",), ()),
        ("contributor", ("/team",), ()),
        ("manager", (), ("/team",)),
    ],
)
def test_a_folder_is_writable_for_who_may_also_delete_in_it(
    world: World, level: str, read_only: tuple[str, ...], writable: tuple[str, ...]
) -> None:
    world.grants = [(level, "/team")]
    found = world.view()
    assert (read_only, writable) == (found.read_only, found.writable)


def test_whoever_runs_what_others_wrote_changes_nothing(world: World) -> None:
    world.grants = [("manager", "/team")]
    assert (("/team",), ()) == (
        (found := world.view(may_write=False)).read_only,
        found.writable,
    )


def test_a_forbid_below_a_granted_folder_leaves_its_siblings(world: World) -> None:
    world.grants = [("manager", "/team")]
    world.rules = f'forbid {HEADER}"/team/final");'
    found = world.view()
    assert ((), ("/team/drafts",)) == (found.read_only, found.writable)
    assert ["/team"] == [left.path for left in found.left_out]


def test_a_forbid_on_one_file_leaves_out_its_folder(world: World) -> None:
    world.grants = [("manager", "/")]
    world.rules = 'forbid (principal, action, resource == Jupyter::File::"/team/a.txt");'
    found = world.view()
    assert ("/other", "/team/drafts", "/team/final") == found.writable


def test_a_hidden_folder_beside_a_forbidden_file_is_left_out_since_it_may_hold_copies(
    world: World, tmp_path: Path
) -> None:
    for name in (".ipynb_checkpoints", ".git", "drafts/.ipynb_checkpoints"):
        (tmp_path / "root" / "team" / name).mkdir()
    world.grants = [("manager", "/team")]
    assert ("/team",) == world.view().writable
    world.rules = 'forbid (principal, action, resource == Jupyter::File::"/team/a.txt");'
    assert ("/team/drafts", "/team/final") == world.view().writable
    # What is granted by itself is shown.
    world.grants.append(("manager", "/team/.git"))
    world.rules += '\nforbid (principal, action, resource == Jupyter::File::"/b.txt");'
    assert "/team/.git" in world.view().writable


def test_a_forbid_of_writing_below_makes_the_folder_read_only(world: World) -> None:
    world.grants = [("manager", "/team")]
    world.rules = (
        'forbid (principal, action in Jupyter::Action::"write",'
        ' resource in Jupyter::Folder::"/team/final");'
    )
    found = world.view()
    assert (("/team",), ()) == (found.read_only, found.writable)


def test_a_wider_grant_below_a_narrow_one_is_writable(world: World) -> None:
    world.grants = [("viewer", "/"), ("manager", "/team/drafts")]
    found = world.view()
    assert (("/",), ("/team/drafts",)) == (found.read_only, found.writable)


@pytest.mark.parametrize("condition", ["context.hour >= 0", "context.time < 0"])
def test_a_condition_counts_as_what_takes_away(world: World, condition: str) -> None:
    world.rules = f'permit {HEADER}"/team") when {{ {condition} }};'
    assert () == world.view().read_only
    world.grants = [("viewer", "/team")]
    world.rules = f'forbid {HEADER}"/team") when {{ {condition} }};'
    assert () == world.view().read_only


def test_a_rule_without_a_condition_permits_as_a_grant_does(world: World) -> None:
    world.rules = f'permit {HEADER}"/team");'
    assert ("/team",) == world.view().writable


def test_the_view_ends_with_the_grant_it_rests_on(world: World) -> None:
    world.grants, world.ends = [("viewer", "/team")], time.time() + 1000
    assert world.ends == world.view().ends


def test_a_home_is_its_owners_and_no_grant_above_reaches_into_it(world: World) -> None:
    world.homes = Homes.parse("home/{user}")
    for name in ("ada", "bob"):
        (world.root / "home" / name).mkdir(parents=True)
    world.grants = [("manager", "/")]
    found = world.view()
    assert ("/home/ada", "/other", "/team") == found.writable
    assert not found.reads("/home/bob")
    world.grants = [("admin", "/")]
    assert ("/",) == world.view().writable


def test_a_link_in_the_place_of_a_folder_is_not_followed(world: World) -> None:
    world.grants = [("manager", "/link")]
    (world.root / "link").symlink_to("other")
    found = world.view()
    assert ((), ()) == (found.read_only, found.writable)
    assert [("/link", "it is no folder but a link")] == list(found.left_out)
    with pytest.raises(OSError, match="link"):
        Disk(world.root, ()).open("/link")
    with pytest.raises(OSError, match="link"):
        Disk(world.root, ()).open("/link/deeper")


def make_socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


@pytest.mark.parametrize("make", [os.mkfifo, Path.touch, make_socket])
def test_what_is_no_folder_is_left_out(world: World, make: object) -> None:
    make(world.root / "thing")  # type: ignore[operator]  # why: two functions of a path
    world.grants = [("manager", "/thing"), ("manager", "/gone")]
    found = world.view()
    assert ((), ["/thing"]) == (found.writable, [left.path for left in found.left_out])


def test_what_is_the_servers_own_is_never_in_a_view(world: World) -> None:
    world.grants = [("admin", "/")]
    own = world.root / "team" / "final"
    assert ("/other", "/team/drafts") == world.view([own]).writable
    assert () == world.view([world.root]).writable
    assert Path(sys.prefix) in server_paths()


def test_a_name_that_no_path_can_have_is_left_out(world: World) -> None:
    (world.root / "a\\b").mkdir()
    os.mkdir(bytes(world.root) + b"/\xff")  # noqa: PTH102  # why: a name in no encoding
    (world.root / 'new\n"line').mkdir()
    world.grants = [("admin", "/")]
    world.rules = f'forbid {HEADER}"/team");'
    assert ('/new\n"line', "/other") == world.view().writable


def test_a_view_of_too_many_folders_is_refused(world: World) -> None:
    for number in range(MAX_FOLDERS + 1):
        (world.root / "team" / f"{number}").mkdir()
    world.grants = [("admin", "/team")]
    assert ("/team",) == world.view().writable
    world.rules = f'forbid {HEADER}"/team/7");'
    with pytest.raises(TooMuch, match="grant a folder that holds them"):
        world.view()


def test_of_thousands_of_grants_those_on_folders_that_are_there_count(world: World) -> None:
    rows = [f"/gone/{number}" for number in range(2_998)] + ["/other", '/quote"d\nline']
    (world.root / 'quote"d\nline').mkdir()
    texts = [
        f"- {{principal: 'user:ada', level: manager, resource: {json.dumps('contents:' + row)}}}"
        for row in rows
    ]
    (world.folder / "policy").mkdir()
    (world.folder / "policy" / "many.yaml").write_text("\n".join(["grants:", *texts]))
    found = world.view()
    assert ("/other", '/quote"d\nline') == found.writable
    assert () == found.read_only


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    grants=st.lists(st.tuples(st.sampled_from(LEVELS), st.sampled_from(PATHS)), max_size=3),
    rules=st.lists(RULES, max_size=3),
    homes=st.sampled_from([None, Homes.parse("a/{user}")]),
)
def test_nothing_is_in_a_view_that_is_denied(
    tmp_path: Path, grants: list[tuple[str, str]], rules: list[str], homes: Homes | None
) -> None:
    world = World(tmp_path, rules="\n".join(rules), homes=homes, grants=grants)
    for path in PATHS:
        (world.root / path.strip("/")).mkdir(parents=True, exist_ok=True)
    point = world.point()
    ada = point.principal("user:ada")
    found = compile_view(point, ada, Disk(world.root, ()))

    def allowed(actions: tuple[str, ...], path: str) -> bool:
        resource = Resource(type="contents", id=path)
        return all(
            point.decide(ada, action, resource, door="test", record=False).allowed
            for action in actions
        )

    for folder in PATHS:
        for path in (folder, f"{folder.rstrip('/')}/new"):
            assert allowed(READING, path) or not found.reads(path)
            assert allowed(WRITING, path) or not found.writes(path)
    # Without a rule, and so without an exception, all of it is there.
    if not rules and homes is None:
        for folder in PATHS:
            assert allowed(READING, folder) == found.reads(folder)
            assert allowed(WRITING, folder) == found.writes(folder)
    point.store.close()


@pytest.mark.parametrize(
    ("scope", "read_only", "writable"),
    [
        ([("viewer", "contents:/team/drafts")], ("/team/drafts",), ()),
        ([("manager", "contents:/team/drafts")], (), ("/team/drafts",)),
        ([("editor", "contents:/team")], ("/team",), ()),
        ([("admin", "server:")], (), ("/team",)),
        ([("manager", "contents:/other")], (), ()),
    ],
)
def test_a_token_s_view_is_within_its_scope(
    world: World,
    scope: list[tuple[str, str]],
    read_only: tuple[str, ...],
    writable: tuple[str, ...],
) -> None:
    world.grants = [("manager", "/team")]
    point = world.point()
    point.store.add_token("t1", "0" * 64, "agent", "ada", None, 1, scope=scope)
    point.refresh()
    agent = point.principal("user:ada", token="t1")
    found = compile_view(point, agent, Disk(world.root, ()), may_write=True)
    point.store.close()
    assert (read_only, writable) == (found.read_only, found.writable)


FOLDERS = st.lists(st.sampled_from(PATHS), max_size=3).map(tuple)
VIEWS = st.builds(
    lambda reads, writes, besides: View(
        principal="user:ada",
        revision=1,
        read_only=reads,
        writable=writes,
        besides=besides,
    ),
    FOLDERS,
    FOLDERS,
    st.frozensets(st.sampled_from(BESIDES)),
)


# The machine may be so busy that a draw takes seconds.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(now=VIEWS, had=VIEWS)
def test_a_narrowed_view_is_what_both_views_have(now: View, had: View) -> None:
    found = narrowed(now, had)
    for folder in PATHS:
        for path in (folder, f"{folder.rstrip('/')}/new"):
            assert (now.reads(path) and had.reads(path)) == found.reads(path)
            assert (now.writes(path) and had.writes(path)) == found.writes(path)
    assert has_besides(now) & has_besides(had) == has_besides(found)


@pytest.mark.parametrize(
    ("right", "has", "joins"),
    [
        ("internet", "internet", True),
        ("network", "internet", True),
        ("internet", "network", False),
        ("network", "network", True),
        ("launch", "internet", False),
        ("mounts", "mounts", True),
        ("mounts", "devices", False),
    ],
)
def test_who_joins_in_a_process_with_a_network_has_as_much_of_it_by_a_right(
    world: World, right: str, has: str, *, joins: bool
) -> None:
    spec = 'resource == Jupyter::KernelSpec::"python3"'
    world.rules = f'permit (principal, action == Jupyter::Action::"{right}", {spec});'
    point = world.point()
    on = Resource(type="kernelspecs", id="python3")
    view = View(principal="user:bob", revision=1, besides=frozenset({has}), program=on)
    assert joins is covers(point, point.principal("user:ada"), view)[0]
    point.store.close()


@pytest.mark.parametrize(
    ("rules", "gives"),
    [
        ("permit (principal, action, resource);", False),
        ('permit (principal, action in Jupyter::Action::"execute", resource);', False),
        ('permit (principal, action in Jupyter::Action::"admin", resource);', False),
        (f"permit (principal, action == {NETWORK}, resource);", True),
        (f"permit (principal, action in [{RUN}, {NETWORK}], resource);", True),
        (
            f"""permit (principal, action, resource);
            permit (principal, action == {NETWORK}, resource);""",
            True,
        ),
    ],
)
def test_what_is_outside_of_a_sandbox_is_given_by_a_rule_that_calls_it_by_its_name(
    world: World, rules: str, *, gives: bool
) -> None:
    world.rules = rules
    point = world.point()
    on = Resource(type="kernelspecs", id="python3")
    assert gives is by_rule(point, point.principal("user:ada"), "network", on)
    point.store.close()


@pytest.mark.parametrize(
    ("grant", "rule", "joins"),
    [
        (("manager", "/team"), "", True),
        (("admin", "/"), "", True),
        (("contributor", "/team"), "", False),
        (("manager", "/team/drafts"), "", False),
        (("manager", "/team"), f'forbid {HEADER}"/team/final");', False),
        (("manager", "/team"), f'forbid {HEADER}"/team") when {{ context.time < 0 }};', False),
        (("viewer", "/team"), f'permit {HEADER}"/team") when {{ context.hour >= 0 }};', False),
        (("viewer", "/team"), f'permit {HEADER}"/team");', True),
    ],
)
def test_who_joins_in_a_process_may_touch_all_of_it_at_any_time(
    world: World, grant: tuple[str, str], rule: str, *, joins: bool
) -> None:
    world.grants, world.rules = [grant], rule
    point = world.point()
    view = View(principal="user:bob", revision=1, writable=("/team",))
    assert joins is covers(point, point.principal("user:ada"), view)[0]
    assert covers(point, point.principal("user:ada"), View(principal="user:bob", revision=1))[0]
    for right in BESIDES:
        has = replace(view, writable=(), besides=frozenset({right}))
        assert not covers(point, point.principal("user:ada"), has)[0]
    point.store.close()
