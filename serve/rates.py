"""How often somebody may do something, and who must wait.

All times are of the monotonic clock: a clock that is set back keeps nobody out. Memory is bounded:
of too many names or addresses, those that were quiet longest are forgotten.
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

Clock = Callable[[], float]

_MOST = 10_000
"""Names or addresses that are remembered at once."""


class Rate:
    """At most ``most`` times within any ``seconds``, for each key."""

    def __init__(self, most: int, *, seconds: float = 60, clock: Clock = time.monotonic) -> None:
        """``clock`` gives seconds."""
        self._most, self._seconds, self._clock = most, seconds, clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """Counts once more, and gives 0; or, if that is too often, the seconds to wait."""
        now = self._clock()
        times = self._times.setdefault(key, deque())
        self._times.move_to_end(key)
        while len(self._times) > _MOST:
            self._times.popitem(last=False)
        while times and times[0] <= now - self._seconds:
            times.popleft()
        if len(times) >= self._most:
            return times[0] + self._seconds - now
        times.append(now)
        return 0


@dataclass(slots=True)
class _Tries:
    """Of one name or address."""

    times: deque[float] = field(default_factory=deque)
    locked_until: float = 0


class Locks:
    """Locks what was tried in vain too often: ``most`` times within ``seconds``, for as long.

    A try counts as one in vain from its beginning, so that nobody gets more by many at once.
    """

    def __init__(self, most: int, *, seconds: float = 300, clock: Clock = time.monotonic) -> None:
        """``clock`` gives seconds."""
        self._most, self._seconds, self._clock = most, seconds, clock
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    def locked(self, key: str) -> float:
        """The seconds for which it is locked; 0 if it is not."""
        tries = self._tries.get(key)
        return max(0.0, tries.locked_until - self._clock()) if tries else 0

    def begin(self, key: str) -> None:
        """Counts a try of what is not locked."""
        now = self._clock()
        tries = self._tries.setdefault(key, _Tries())
        self._tries.move_to_end(key)
        while len(self._tries) > _MOST:
            self._tries.popitem(last=False)
        while tries.times and tries.times[0] <= now - self._seconds:
            tries.times.popleft()
        tries.times.append(now)
        if len(tries.times) >= self._most:
            tries.locked_until = now + self._seconds

    def forget(self, key: str) -> None:
        """None of its tries counts any more."""
        self._tries.pop(key, None)

    def take_back(self, key: str) -> None:
        """The last try was not in vain."""
        tries = self._tries.get(key)
        if tries and tries.times:
            tries.times.pop()
            tries.locked_until = 0
