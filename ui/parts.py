"""What all of the page is made with."""

from collections import defaultdict
from typing import Any

import gradio as gr

from ui.render import plain

QUICK: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "api_visibility": "private",
}
"""For events that take no time, and that nobody but the page asks for."""

_LISTEN = """
const events = ["act", "again", "save", "shelve", "typed"];
element.addEventListener("footnote", ({ detail }) => {
    trigger(events.includes(detail.event) ? detail.event : "act", detail);
});
watch("value", () => window.footnoteDrawn(element));
"""
"""Hands on what page.js tells, and tells it what was drawn."""


def html(value: str) -> gr.HTML:
    """A stretch of the page that pure functions write and page.css styles."""
    return gr.HTML(value, padding=False, apply_default_css=False, js_on_load=_LISTEN)


def warn(error: Exception) -> None:
    """Tells the reader of an error from an event that waits in Gradio's queue."""
    gr.Warning(plain(str(error)))


def pressed(event: gr.EventData) -> dict[str, str]:
    """The data- values of what was pressed; see page.js. Empty where there is none."""
    data = event._data if isinstance(event._data, dict) else {}
    return defaultdict(str, {str(key): str(value) for key, value in data.items()})
