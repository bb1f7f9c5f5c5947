"""What of the machine itself every confined process reads, and what of it none does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What of `/etc` a program needs that asks for fonts, certificates, zones or languages.
# fmt: off
ETC = (
    "alternatives", "ca-certificates.conf", "fonts", "group.conf", "host.conf", "inputrc",
    "java", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "locale.alias", "localtime", "magic",
    "mime.types", "nsswitch.conf", "pki", "protocols", "python3", "R", "services", "ssl",
    "terminfo", "timezone", "bash.bashrc", "profile", "hosts",
)
# fmt: on
#: Folders of programs beside `/usr`, of which many are links into it.
SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
#: Jupyter's own configuration, which may hold what the server's people must not read.
_CONFIGURATION = ("etc/jupyter", "etc/ipython")


def configuration(shown: Sequence[str]) -> list[Path]:
    """The folders of Jupyter's configuration in the folders that are `shown`, links followed."""
    return sorted(
        {
            Path(os.path.realpath(folder))
            for prefix in (*shown, "/usr/local")
            for name in _CONFIGURATION
            if (folder := Path(prefix, name)).is_dir()
        }
    )
