"""Identity: how long a guesser of passwords has to wait. Pure; the caller gives the time.

Three counts of failures are kept: of an address, of a person (whoever tried, from
wherever), and of a person from one address. From these follow two waits, and the
longer one holds:

- the address waits after its own last failure, for as long as its own count says;
- the pair of person and address waits after *its* last failure, for as long as the
  higher of its own count and the person's says.

So a guesser who spreads over many addresses makes every further guess at that person
slow, from everywhere, but can shut nobody out: what others do never starts or restarts
somebody's wait, so whoever has not failed from an address is let try from there at
once, and whoever has mistyped waits five minutes at the very most before the next try.

An address may fail more often than a person, because a class, an office or a proxy
has one between them. Behind a proxy that the server is not told to trust
(`c.ServerApp.trust_xheaders`) all the world is one address, and anybody can make all
the world wait.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

#: Failures that cost nothing: of a person, and of an address.
FREE_PERSON = 5
FREE_ADDRESS = 20
#: The longest wait, in seconds.
LONGEST = 300.0
#: A count is forgotten after so many seconds without a failure.
FORGOTTEN = 3600.0
#: Most counts of one sort that are kept; the longest quiet goes first.
MOST = 20_000

_LONGEST_NAME = 160


def wait_after(failures: int, free: int) -> float:
    """Seconds to wait after the last of `failures`: 1, 2, 4 … from the `free`-th on."""
    if failures < free:
        return 0.0
    return min(2.0 ** min(failures - free, 16), LONGEST)


def network(address: str) -> str:
    """What counts as one address: an IPv4 address, or an IPv6 network of 64 bits.

    One subscriber has at least that many IPv6 addresses to himself.
    """
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:_LONGEST_NAME]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((parsed, 64), strict=False))


@dataclass(slots=True)
class _Count:
    failures: int
    last: float


class _Counts:
    """Failures by key. Bounded: beyond `MOST` the key that has been quiet longest goes."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, ...], _Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def get(self, key: tuple[str, ...], now: float) -> _Count:
        """The count of `key`; a count of 0 where there is none."""
        found = self._counts.get(key)
        if found is None or now - found.last >= FORGOTTEN:
            return _Count(0, float("-inf"))
        return found

    def add(self, key: tuple[str, ...], now: float) -> None:
        """One more failure of `key`."""
        self._counts[key] = _Count(self.get(key, now).failures + 1, now)
        self._counts.move_to_end(key)
        if len(self._counts) > MOST:
            self._counts.popitem(last=False)

    def take_back(self, key: tuple[str, ...]) -> None:
        """One failure of `key` was none."""
        found = self._counts.get(key)
        if found is not None:
            found.failures -= 1
            if found.failures <= 0:
                del self._counts[key]

    def forget(self, key: tuple[str, ...]) -> None:
        """No failure of `key` counts any more."""
        self._counts.pop(key, None)


class Throttle:
    """Counts attempts to sign in, and says who has to wait.

    An attempt counts as a failure from its start, so that many at once get no more
    tries than one after the other.
    """

    def __init__(self) -> None:
        self._addresses = _Counts()
        self._people = _Counts()
        self._pairs = _Counts()

    def __len__(self) -> int:
        return len(self._addresses) + len(self._people) + len(self._pairs)

    def start(self, person: str, address: str, *, now: float) -> float:
        """Start an attempt; returns 0, or the seconds to wait instead of attempting.

        Only an attempt that may go on counts: asking again while waiting makes the
        wait no longer.
        """
        person, place = person[:_LONGEST_NAME], network(address)
        of_address = self._addresses.get((place,), now)
        of_person = self._people.get((person,), now)
        of_pair = self._pairs.get((person, place), now)
        failures = max(of_person.failures, of_pair.failures)
        until = max(
            of_address.last + wait_after(of_address.failures, FREE_ADDRESS),
            of_pair.last + wait_after(failures, FREE_PERSON),
        )
        if now < until:
            return until - now
        self._addresses.add((place,), now)
        self._people.add((person,), now)
        self._pairs.add((person, place), now)
        return 0.0

    def succeed(self, person: str, address: str) -> None:
        """A started attempt was right: the person's failures are forgotten.

        Those of the address stay, or a guesser with a right password of his own could
        wipe out his failures at others'.
        """
        person, place = person[:_LONGEST_NAME], network(address)
        self._people.forget((person,))
        self._pairs.forget((person, place))
        self._addresses.take_back((place,))

    def withdraw(self, person: str, address: str) -> None:
        """A started attempt came to no answer, such as with the store out of reach."""
        person, place = person[:_LONGEST_NAME], network(address)
        self._people.take_back((person,))
        self._pairs.take_back((person, place))
        self._addresses.take_back((place,))
