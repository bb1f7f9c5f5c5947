"""How a process of root's becomes nobody's, and still reads the programs that it needs."""

from __future__ import annotations

import sys

from serving import PACKAGE, TESTS

NOBODY = 65534
#: The outermost first, should one lie in another.
PATHS = sorted({sys.base_prefix, sys.prefix, str(PACKAGE), str(TESTS)}, key=len)
#: Runs as a server's configuration, or in any process of one thread. What only root can read of
#: the programs is laid open in a view of the machine of its own; then the process is nobody's.
BECOMES = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def must(answer):
    if answer:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
must(libc.unshare(0x20000))
must(libc.mount(None, b"/", None, 0x44000, None))
needed = {{path: os.open(path, os.O_PATH) for path in PATHS}}
closed = {{}}
for path in needed:
    parts = path.strip("/").split("/")
    for above in ("/" + "/".join(parts[:n]) for n in range(len(parts) - 1, 0, -1)):
        if not os.stat(above).st_mode & 1:
            closed[path] = above
for above in set(closed.values()):
    must(libc.mount(b"none", above.encode(), b"tmpfs", 0, b"mode=755"))
for path in closed:
    os.makedirs(path, exist_ok=True)
    must(libc.mount(b"/proc/self/fd/%d" % needed[path], path.encode(), None, 0x5000, None))
for descriptor in needed.values():
    os.close(descriptor)
# As on most machines, everybody may make a network device in a network of theirs.
if os.path.isdir("/dev/net"):
    must(libc.mount(b"none", b"/dev/net", b"tmpfs", 0, b"mode=755"))
    os.mknod("/dev/net/tun", 0o20666, os.makedev(10, 200))
    os.chmod("/dev/net/tun", 0o666)
for folder, folders, files in os.walk(FOLDER):
    for name in (".", *files):
        os.chown(os.path.join(folder, name), {NOBODY}, {NOBODY}, follow_symlinks=False)
os.setgroups([])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
must(libc.prctl(4, 1, 0, 0, 0))
"""
