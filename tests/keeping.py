"""A kernel manager for tests whose kernels outlive the server, under their ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_server._tz import utcnow
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager


class Keeping(AsyncMappingKernelManager):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]  # why: upstream's
        for path in Path(self.connection_dir).glob("kernel-*.json"):
            kernel_id = path.stem.removeprefix("kernel-")
            manager: Any = self.kernel_manager_factory(
                parent=self, log=self.log, owns_kernel=False
            )
            manager.load_connection_info(json.loads(path.read_text()))
            manager.kernel_id, manager.kernel_name = kernel_id, "python3"
            manager.execution_state, manager.last_activity = "idle", utcnow()
            manager.ready.set_result(None)
            self._kernels[kernel_id] = manager
            self._kernel_connections[kernel_id] = 0

    async def start_kernel(self, **kwargs: Any) -> str:  # type: ignore[override]  # why: upstream's is no method
        return str(await super().start_kernel(independent=True, **kwargs))

    async def shutdown_all(self, now: bool = False) -> None:  # type: ignore[override]  # noqa: FBT002  # why: upstream's signature
        """End none."""
