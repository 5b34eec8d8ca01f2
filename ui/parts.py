"""What all of the page is made with."""

from typing import Any

import gradio as gr

QUICK: dict[str, Any] = {
    "queue": False,
    "show_progress": "hidden",
    "api_visibility": "private",
}
"""For events that take no time, and that nobody but the page asks for."""

_LISTEN = """
const events = ["act", "again", "save", "shelve"];
element.addEventListener("footnote", ({ detail }) => {
    trigger(events.includes(detail.event) ? detail.event : "act", detail);
});
watch("value", () => element.querySelector("#shown")?.scrollIntoView({ block: "center" }));
"""
"""Hands on what page.js tells, and brings the marked words of a source into sight."""


def html(value: str) -> gr.HTML:
    """A stretch of the page that pure functions write and page.css styles."""
    return gr.HTML(value, padding=False, apply_default_css=False, js_on_load=_LISTEN)


def pressed(event: gr.EventData) -> dict[str, str]:
    """The data- values of what was pressed; see page.js."""
    return {str(key): str(value) for key, value in event._data.items()}
