"""What a process prints stays short, and its last words can be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from jupyter_authorized_server.sandbox import printed

if TYPE_CHECKING:
    from pathlib import Path


def test_a_long_file_is_cut_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with printed.opened(path) as file:
        for _ in range(3):
            file.write(b"x" * (1 << 20))
        printed.cut(path)
        file.write(b"after")
    text = path.read_bytes()
    assert text.startswith(b"[what came before has been cut]\n")
    assert text.endswith(b"xafter")
    assert len(text) < printed.MOST


def test_a_short_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("short")
    printed.cut(path)
    printed.cut(tmp_path / "missing")
    assert "short" == path.read_text()


def test_a_log_is_private_and_never_written_through_a_link(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with printed.opened(path):
        assert 0o600 == path.stat().st_mode & 0o777
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OSError, match="symbolic link"):
        printed.opened(link)


def test_last_words_are_one_line_without_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"y" * 9000 + b"\n\n one\x1b[1;31m red\x1b[2J\x07\r\n\xfftwo\x00\n")
    words = printed.last_words(path)
    assert words.endswith("yyy | one red | \ufffdtwo")
    assert len(words) <= 400
    assert "" == printed.last_words(tmp_path / "missing")
