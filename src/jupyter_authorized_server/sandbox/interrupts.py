"""Interrupts reach what a server starts, also where the server itself takes none."""

from __future__ import annotations

import signal


def pass_on() -> None:
    """Have programs that are started from now on end for an interrupt, unless they choose not to.

    A server that a script has started with `&` ignores interrupts, and what is ignored is
    ignored by whatever it starts as well; what it takes and does nothing about is not. To be
    called by the main thread.
    """
    for number in (signal.SIGINT, getattr(signal, "SIGQUIT", signal.SIGINT)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _take)


def _take(*_: object) -> None:
    """Nothing ends this server but what it heeds."""
