"""Whose kernels: who started each one and for which notebook.

Kept in memory in this release: a kernel that outlives its server has no owner, and
then only the levels decide about it.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import ensure_async

if TYPE_CHECKING:
    from ..policy.model import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A running kernel's origin.

    Args:
        owner: written form of the principal who started it.
        path: canonical contents path it was started for; None where there was none.
    """

    owner: str
    path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Starting:
    """What the guard has just allowed, for whoever starts a process in this request."""

    principal: Principal
    path: str | None


#: Set by the guard around the handler it lets through; None in the server's own tasks.
STARTING: ContextVar[Starting | None] = ContextVar("jupyter_authorization_starting", default=None)


def record_owners(kernel_manager: Any, owners: dict[str, Owned]) -> None:
    """Have every start through `kernel_manager` recorded in `owners`."""
    start, shutdown = kernel_manager.start_kernel, kernel_manager.shutdown_kernel

    async def start_kernel(*args: Any, **kwargs: Any) -> str:
        kernel_id = str(await ensure_async(start(*args, **kwargs)))
        starting = STARTING.get()
        if starting is not None:
            owners.setdefault(kernel_id, Owned(owner=starting.principal.name, path=starting.path))
        return kernel_id

    async def shutdown_kernel(kernel_id: str, *args: Any, **kwargs: Any) -> Any:
        answer = await ensure_async(shutdown(kernel_id, *args, **kwargs))
        if kwargs.get("restart") is not True and kernel_id not in kernel_manager:
            owners.pop(kernel_id, None)
        return answer

    kernel_manager.start_kernel = start_kernel
    kernel_manager.shutdown_kernel = shutdown_kernel
