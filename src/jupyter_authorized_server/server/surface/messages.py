"""Surface of kernel channels: what each message asks on the kernel, as data."""

from __future__ import annotations

#: What each message on `shell` and `control` asks; a type that is not here asks `run`.
#: Kernels serve all of them on either channel.
ACTIONS = {
    "kernel_info_request": "watch",
    "execute_request": "run",
    "complete_request": "help",
    "inspect_request": "help",
    "history_request": "help",
    "is_complete_request": "help",
    "comm_info_request": "help",
    "comm_open": "interact",
    "comm_msg": "interact",
    "comm_close": "interact",
    "debug_request": "debug",
    "create_subshell_request": "debug",
    "delete_subshell_request": "debug",
    "list_subshell_request": "debug",
    "interrupt_request": "interrupt",
    "shutdown_request": "stop",
}
#: Who may do all of these may have the message passed on whatever else it holds. What a run
#: or a shutdown is depends on its content.
PASSING = {
    msg_type: {"watch": ("watch", "run", "debug"), "interact": ("interact", "run")}.get(
        action, (action,)
    )
    for msg_type, action in ACTIONS.items()
    if msg_type not in {"execute_request", "shutdown_request"}
}
#: Who may do all of these may send anything.
EVERYTHING = ("run", "input", "interact", "help", "debug", "interrupt", "restart", "stop")
#: Comms that a page of widgets opens.
WIDGETS = frozenset({"jupyter.widget", "jupyter.widget.control", "jupyter.widget.version"})
