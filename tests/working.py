"""What a confined kernel does as a plain one does, by Mona, in a folder that she may change."""

from __future__ import annotations

#: What is done: code, and the last line that it prints.
WORKS = {
    "a shell command": ("!echo told", "told"),
    "a shell command's lines": ("lines = !printf 'a\\nb'\nprint(lines)", "['a', 'b']"),
    "a program": (
        """
        import subprocess
        print(subprocess.check_output(["seq", "2"]).split())
        """,
        "[b'1', b'2']",
    ),
    "a pool of processes": (
        """
        import multiprocessing
        with multiprocessing.Pool(2) as pool:
            print(pool.map(abs, [-1, -2]))
        """,
        "[1, 2]",
    ),
    "shared memory": (
        """
        from multiprocessing import shared_memory
        one = shared_memory.SharedMemory(create=True, size=1 << 20)
        other = shared_memory.SharedMemory(one.name)
        one.buf[0] = 7
        print(other.buf[0])
        other.close(); one.close(); one.unlink()
        """,
        "7",
    ),
    "a database": (
        """
        import sqlite3
        database = sqlite3.connect("a.sqlite")
        for line in (
            "pragma journal_mode = wal", "create table t (n)", "insert into t values (7)"
        ):
            _ = database.execute(line)
        database.commit()
        print(sqlite3.connect("a.sqlite").execute("select n from t").fetchall())
        """,
        "[(7,)]",
    ),
    "a memory map": (
        """
        import mmap
        with open("big", "wb+") as file:
            _ = file.truncate(64 << 20)
            map = mmap.mmap(file.fileno(), 0)
            map[-1:] = b"z"
            map.flush()
            _ = file.seek(-1, 2)
            print(file.read())
        """,
        "b'z'",
    ),
    "git": (
        """
        %%bash
        git init -q repo && cd repo && touch f && git add f
        git -c user.name=m -c user.email=m@x commit -q -m one && git log --format=%s
        """,
        "one",
    ),
    "a temporary file": (
        """
        import tempfile
        with tempfile.NamedTemporaryFile() as file:
            print(file.name.startswith("/tmp/"))
        """,
        "True",
    ),
    "a socket to itself": (
        """
        import socket
        listening = socket.create_server(("127.0.0.1", 0))
        calling = socket.create_connection(listening.getsockname())
        calling.sendall(b"x")
        print(listening.accept()[0].recv(1))
        """,
        "b'x'",
    ),
    "who it is": (
        """
        import getpass, pathlib
        print(getpass.getuser(), pathlib.Path.home().is_dir())
        """,
        "mona True",
    ),
    "copying with times and modes": (
        """
        import shutil
        open("from", "w").close()
        print(shutil.copy2("from", "to"))
        """,
        "to",
    ),
    "awaiting at the top level": ("import asyncio; await asyncio.sleep(0); print('done')", "done"),
    "a cell of another language": ("%%bash\necho $((6 * 7))", "42"),
}
