from __future__ import annotations

import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from serving import Serving, serving
from talking import notebook
from talking import start as start_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("resolved")
    root = folder / "root"
    for path in ("team/a.ipynb", "private/b.ipynb"):
        notebook(root / path, "6 * 7")
    (root / "team" / "out").symlink_to(root / "private")
    (root / "team" / "away").symlink_to("/etc")
    (folder / "root2").mkdir()
    (folder / "root2" / "secret").write_text("no", encoding="utf-8")
    team = [("editor", "contents:/team"), ("runner", "kernelspecs:python3")]
    people = {"tim": team, "edda": "editor", "nora": None}
    with serving(folder, people=people) as running:
        yield running
    shutil.rmtree(folder / "root2")


def resolve(server: Serving, who: str, path: str, kernel: str = "") -> tuple[int, list[str]]:
    more = f"&kernel={kernel}" if kernel else ""
    answer = server.request("GET", f"/api/resolvePath?path={quote(path, safe='')}{more}", who)
    found = answer.json.get("resolved", []) if answer.status == 200 else []
    return answer.status, [each["path"] for each in found]


def test_a_path_that_may_be_opened_is_resolved_however_it_is_written(server: Serving) -> None:
    root = server.root
    for path in ("team/a.ipynb", "/team/a.ipynb", f"{root}/team/a.ipynb"):
        assert (200, ["team/a.ipynb"]) == resolve(server, "tim", path)
    # As upstream answers it, to who might open it.
    assert (200, []) == resolve(server, "tim", "team/none.ipynb")
    assert (404, []) == resolve(server, "nora", "team/none.ipynb")


@pytest.mark.parametrize(
    "path",
    [
        "private/b.ipynb",
        "{root}/private/b.ipynb",
        "{root}/private",
        "{root}/team/../private/b.ipynb",
        "team/../private/b.ipynb",
        "team/out/b.ipynb",
        "{root}/team/out/b.ipynb",
        "team/away/passwd",
        "/etc/passwd",
        "{root}2/secret",
        "../root2/secret",
        "~/.bashrc",
        "~root",
        "~nobody-at-all/x",
        "a\0b",
    ],
)
def test_whether_something_is_there_shows_only_to_who_may_open_it(
    server: Serving, path: str
) -> None:
    here = path.format(root=server.root)
    kernel = start_kernel(server, "tim", "team/a.ipynb") if "{root}/p" in path else ""
    for id_ in ("", kernel):
        assert (404, []) == resolve(server, "tim", here, id_)
        assert (404, []) == resolve(server, "nora", here, id_)
    # The same, name for name, as what is not there.
    missing = here.replace("b.ipynb", "c.ipynb")
    assert (404, []) == resolve(server, "tim", missing, kernel)
    if kernel:
        server.request("DELETE", f"/api/kernels/{kernel}", "edda")


@pytest.mark.parametrize("path", ["~", "~/.bashrc", "~/none", "~root", "~root/.profile"])
def test_of_what_lies_in_a_home_nobody_learns_whether_it_is_there(
    server: Serving, path: str
) -> None:
    # As upstream answers it, whatever is there.
    assert (200, []) == resolve(server, "edda", path)
    for who in ("tim", "nora"):
        assert (404, []) == resolve(server, who, path)


def test_a_kernel_s_own_folder_is_where_its_paths_begin(server: Serving) -> None:
    kernel = start_kernel(server, "tim", "team/a.ipynb")
    inside = f"{server.root}/team/a.ipynb"
    assert (200, ["team/a.ipynb", inside]) == resolve(server, "tim", inside, kernel)
    # Both readings have to be allowed: else what is at the other would show.
    (server.root / "a.ipynb").unlink(missing_ok=True)
    assert (404, []) == resolve(server, "tim", "a.ipynb", kernel)
    assert (200, [inside]) == resolve(server, "edda", "a.ipynb", kernel)
    notebook(server.root / "a.ipynb", "6 * 7")
    assert (404, []) == resolve(server, "tim", "a.ipynb", kernel)
    assert (200, ["a.ipynb", inside]) == resolve(server, "edda", "a.ipynb", kernel)
    assert (404, []) == resolve(server, "tim", "/etc/passwd", kernel)
    # To the contents `/etc/passwd` is a file below the root, to the kernel it is not.
    notebook(server.root / "etc" / "passwd", "6 * 7")
    assert (200, ["etc/passwd"]) == resolve(server, "edda", "/etc/passwd")
    assert (404, []) == resolve(server, "edda", "/etc/passwd", kernel)
    assert 404 == resolve(server, "nora", inside, kernel)[0]


def test_a_kernel_that_is_not_there_adds_nothing(server: Serving) -> None:
    assert (200, ["team/a.ipynb"]) == resolve(server, "edda", "team/a.ipynb", "0" * 36)
