"""The crash of Cedar's parser is out of reach: tried in processes of their own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

SCRIPT = """
import sys, threading
from jupyter_authorized_server.errors import PolicyError
from jupyter_authorized_server.policy import engine, vocabulary
from jupyter_authorized_server.policy.document import PolicyFile
from jupyter_authorized_server.policy.model import AccessRequest, Context, Principal

sys.path.insert(0, {tests!r})
from test_statement import HEAD, KINDS, nested

def run():
    for kind in KINDS:
        for number in (1, 5, 17, 19, 40, 76, 78, 200, 800, 10_000):
            text = HEAD + nested(kind, number) + " }};"
            try:
                policy = engine.load_policy([PolicyFile(source="a.cedar", text=text)])
            except PolicyError:
                continue
            asked = AccessRequest(
                principal=Principal(name="user:ada"), action="open",
                resource=vocabulary.parse_resource("contents:/a"),
                context=Context(time=0, hour=1, weekday=1, door="test"))
            print(kind, number, engine.decide(engine.Snapshot(policy), asked).answer.value)

threading.stack_size({kilobytes} * 1024)
thread = threading.Thread(target=run)
thread.start()
thread.join()
print("alive")
"""


@pytest.mark.parametrize("kilobytes", [256, 8192])
def test_no_nesting_ends_the_process_on_a_stack_of_any_size(kilobytes: int) -> None:
    tests = __file__.rpartition("/")[0]
    script = textwrap.dedent(SCRIPT.format(tests=tests, kilobytes=kilobytes))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=150, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines[-1] == "alive"
    # Some of it is admitted and decided, so the limits were really reached.
    assert "parentheses 17 allow" in lines
    assert "and 76 allow" in lines
