"""What Gradio keeps for tabs that nobody looks at any more; by itself it would keep it for ever."""

import asyncio

import gradio as gr

_SECONDS, _TIMES = 60.0, 10
"""Between two looks; and so often something must have been left lying to be thrown away.

Who looks reads a message within a moment, so of two looks in a row hardly one finds any.
"""


class Unread:
    """Throws away the messages of sessions that do not fetch them."""

    def __init__(self, page: gr.Blocks, *, times: int = _TIMES) -> None:
        """``times`` is how many looks in a row must find some."""
        self._page, self._times = page, times
        self._found: dict[str, int] = {}

    async def watch(self) -> None:
        """Looks again and again."""
        while True:
            await asyncio.sleep(_SECONDS)
            self.look()

    def look(self) -> None:
        """Once."""
        queue = self._page._queue
        waiting = [one for one, kept in queue.pending_messages_per_session.items() if kept.qsize()]
        self._found = {one: self._found.get(one, 0) + 1 for one in waiting}
        for session in [one for one, times in self._found.items() if times >= self._times]:
            del self._found[session]
            queue.pending_messages_per_session.pop(session, None)
            queue.pending_event_ids_session.pop(session, None)
