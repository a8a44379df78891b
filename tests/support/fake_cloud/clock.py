"""The cloud's time, which a test may stop and move."""

import heapq
import itertools
import threading
import time


class Clock:
    """Seconds since the epoch: the machine's time plus what advance() added, or only the latter when `frozen`.

    Functions given to after() run under `lock`: in advance() when it passes their time, else in the clock's own thread. Those that
    are due at once run at once."""

    def __init__(self, lock: threading.RLock, frozen: bool = False):
        self._lock = lock
        self._frozen = time.time() if frozen else None
        self._offset = 0.0
        self._due: list[tuple[float, int, object]] = []
        self._serial = itertools.count()
        self._changed = threading.Condition(lock)
        self._closed = False
        self._thread: threading.Thread | None = None

    def now(self) -> float:
        return (time.time() if self._frozen is None else self._frozen) + self._offset

    def after(self, seconds: float, function) -> None:
        if seconds <= 0:
            with self._lock:
                function()
            return
        with self._changed:
            heapq.heappush(self._due, (self.now() + seconds, next(self._serial), function))
            if self._thread is None and self._frozen is None:
                self._thread = threading.Thread(target=self._run, name="cloud's clock", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def advance(self, seconds: float) -> None:
        """All that becomes due runs before this returns, each at its own time."""
        with self._changed:
            target = self._offset + seconds
            while self._due and self._due[0][0] <= self.now() - self._offset + target:
                due, _, function = heapq.heappop(self._due)
                self._offset = max(self._offset, self._offset + due - self.now())
                function()
            self._offset = max(self._offset, target)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                if not self._due:
                    self._changed.wait()
                elif (left := self._due[0][0] - self.now()) > 0:
                    self._changed.wait(left)
                else:
                    heapq.heappop(self._due)[2]()
