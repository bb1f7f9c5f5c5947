"""Read-only, as a policy: the rules are in `policy` beside this file."""

from pathlib import Path

c.JupyterAuthorization.policy_dir = str(Path(__file__).resolve().parent / "policy")
