"""The ends of kernels, as the manager is told of them."""

from __future__ import annotations

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from jupyter_authorized_server.audit import Audit
from jupyter_authorized_server.server.doors.endings import Endings


def test_a_kernel_that_is_gone_already_is_removed_as_upstream_does_it() -> None:
    """At the end of a server one that was just shut down is removed a second time."""
    manager = AsyncMappingKernelManager()  # type: ignore[no-untyped-call]  # why: upstream's
    Endings(Audit(None)).install(manager)
    assert manager.remove_kernel("0b0a8d5e-6f4c-4a44-8d36-2f6f0a8a8d5e") is None
