"""The chat page: the wiring between the reader, the conversation and what is drawn."""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # Gradio reads it while it is imported
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import gradio as gr
from starlette.middleware import Middleware

from models.errors import FootnoteError
from rag.records import Event
from ui import render
from ui.local import HOSTS, LocalOnly
from ui.turn import Turn

SECONDS_BETWEEN_DRAWINGS = 1 / 15  # Gradio compares the whole value at each one

UNEXPECTED = "Something went wrong inside Footnote; the terminal it runs in shows the details."

log = logging.getLogger(__name__)


class Conversation(Protocol):
    """What the page talks to; the real one is ``rag.Chat``."""

    def stream(self, question: str) -> Iterator[Event]:
        """The events of one answer, the last of them Done."""

    def fresh(self) -> Self:
        """A new conversation about the same documents."""


@dataclass(slots=True)
class Session:
    """What one browser tab has asked so far."""

    conversation: Conversation
    turns: list[Turn] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def is_busy(self) -> bool:
        """An answer is on its way."""
        return bool(self.turns) and not self.turns[-1].is_over

    def ask(self, question: str) -> None:
        """Take a question; ``answer`` will work on it."""
        self.stopping.clear()
        self.turns.append(Turn(number=len(self.turns) + 1, question=question))


def answer(session: Session, *, clock: Callable[[], float] = time.monotonic) -> Iterator[Turn]:
    """Answer the last question of ``session``, giving its turn each time it is worth drawing.

    That is at each new stage and each checked sentence, and in between as often as
    ``SECONDS_BETWEEN_DRAWINGS`` allows. Errors end in the turn, never here.
    """
    turn = session.turns[-1]
    events: Iterator[Event] = iter(())
    turn.stage = "searching"
    yield turn
    drawn = clock()
    try:
        events = session.conversation.stream(turn.question)
        for event in events:
            known = (turn.stage, len(turn.checked))
            turn.take(event)
            if turn.is_over:
                break
            if session.stopping.is_set():
                turn.stop()
                break
            is_news = (turn.stage, len(turn.checked)) != known
            if is_news or clock() - drawn >= SECONDS_BETWEEN_DRAWINGS:
                yield turn
                drawn = clock()
    except FootnoteError as error:
        turn.fail(str(error))
    except Exception:
        log.exception("No answer to %r", turn.question)
        turn.fail(UNEXPECTED)
    finally:
        if not turn.is_over:  # the tab was closed, or the stream ended before Done
            turn.stop()
        if close := getattr(events, "close", None):
            close()
    yield turn


def build_page(chat: Conversation, *, title: str, examples: list[str]) -> gr.Blocks:
    """The page. Each tab talks to its own ``chat.fresh()``, made at its first question.

    ``examples`` are questions to begin with, offered as buttons.
    """
    page = gr.Blocks(title=title, fill_width=True, analytics_enabled=False)
    with page:
        session_state = gr.State(None)
        with gr.Row(elem_classes="header"):
            _html(f"<h1>{render.plain(title)}</h1>")
            renew = gr.Button("New conversation", size="sm", scale=0, min_width=160)
        with gr.Row(elem_classes="desk"):
            with gr.Column(elem_classes="talk", scale=3, min_width=0):
                with gr.Column(elem_classes="scroll"), gr.Column(elem_classes="thread"):
                    # What is over is drawn once; only the last exchange is drawn again
                    # and again, so the text above it can be read and selected in peace.
                    before = _html("")
                    current = _html(render.welcome())
                    with gr.Row(elem_classes="examples", visible=bool(examples)) as offers:
                        offered = [gr.Button(example, size="sm") for example in examples]
                with gr.Row(elem_classes="composer"):
                    question = gr.Textbox(
                        label="Your question",
                        show_label=False,
                        placeholder="Ask a question",
                        lines=1,
                        max_lines=6,
                        autofocus=True,
                        container=False,
                        scale=1,
                    )
                    send = gr.Button("Ask", variant="primary", scale=0, min_width=88)
                    halt = gr.Button("Stop", visible=False, scale=0, min_width=88)
            with gr.Column(elem_classes="sources", scale=2, min_width=0):
                _html("<h2>Sources</h2>")
                notes = _html(render.no_sources())
                earlier = _html("")

        controls = [send, halt, renew, offers]

        def controls_for(session: Session | None) -> dict[Any, Any]:
            is_busy = session is not None and session.is_busy
            return {
                send: gr.update(visible=not is_busy),
                halt: gr.update(visible=is_busy, value="Stop", interactive=True),
                renew: gr.update(interactive=not is_busy),
                offers: gr.update(visible=bool(examples) and not (session and session.turns)),
            }

        def take_question(text: str, session: Session | None) -> dict[Any, Any]:
            """Show the question at once, before the model has time for it."""
            session = session or Session(chat.fresh())
            if not text.strip() or session.is_busy:
                return {session_state: session}
            session.ask(text.strip())
            *over, turn = session.turns
            return {
                session_state: session,
                question: "",
                before: render.conversation(over),
                current: render.exchange(turn),
                notes: render.sources(turn),
                earlier: render.earlier_sources(over),
                **controls_for(session),
            }

        def draw_answer(session: Session) -> Iterator[dict[Any, Any]]:
            """The one event that needs the model: one at a time, whatever the tab."""
            if not session.turns or session.turns[-1].stage != "waiting":
                return
            for turn in answer(session):
                yield {current: render.exchange(turn), notes: render.sources(turn)}

        def settle(text: str, session: Session) -> dict[Any, Any]:
            """Give back the controls, and a question that failed, to be asked again."""
            has_failed = bool(session.turns) and session.turns[-1].stage == "failed"
            if has_failed and not text.strip():
                return {question: session.turns[-1].question, **controls_for(session)}
            return controls_for(session)

        def stop(session: Session | None) -> dict[Any, Any]:
            if session is None or not session.is_busy:
                return controls_for(session)
            session.stopping.set()
            return {halt: gr.update(value="Stopping…", interactive=False)}

        def start_again() -> dict[Any, Any]:
            return {
                session_state: None,
                before: "",
                current: render.welcome(),
                notes: render.no_sources(),
                earlier: "",
                **controls_for(None),
            }

        quick: dict[str, Any] = {
            "queue": False,
            "show_progress": "hidden",
            "api_visibility": "private",
        }
        for asked, source in [
            (question.submit, question),
            (send.click, question),
            *((offer.click, offer) for offer in offered),
        ]:
            asked(
                take_question,
                [source, session_state],
                [session_state, question, before, current, notes, earlier, *controls],
                **quick,
            ).then(
                draw_answer,
                [session_state],
                [current, notes],
                concurrency_id="model",
                concurrency_limit=1,
                show_progress="hidden",
                api_visibility="private",
            ).then(settle, [question, session_state], [question, *controls], **quick)
        halt.click(stop, [session_state], controls, **quick)
        renew.click(
            start_again,
            None,
            [session_state, before, current, notes, earlier, *controls],
            **quick,
        )
    page.queue(api_open=False, max_size=64, default_concurrency_limit=1)
    return page


def _html(value: str) -> gr.HTML:
    """A stretch of the page that ``render`` writes and page.css styles."""
    return gr.HTML(value, padding=False, apply_default_css=False, js_on_load=None)


def launch(page: gr.Blocks, *, host: str, port: int) -> str:
    """Serve ``page`` from a thread of its own, and give its address; ``page.close()`` ends it.

    Raises OSError if the port is taken.
    """
    # Gradio calls its own page once; a proxy for the wide world must not be asked for it.
    for variable in ("NO_PROXY", "no_proxy"):
        os.environ[variable] = ",".join(filter(None, [os.environ.get(variable), *HOSTS]))
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    page.launch(
        server_name=f"[{host}]" if ":" in host else host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        inline=False,
        share=False,
        strict_cors=True,
        ssr_mode=False,
        enable_monitoring=False,
        run_history=False,
        allowed_paths=[],
        max_file_size="1mb",  # nothing is uploaded yet
        footer_links=[],
        app_kwargs={"middleware": [Middleware(LocalOnly)]},
        theme=gr.themes.Base(
            primary_hue="teal",
            neutral_hue="stone",
            font=fonts,
            font_mono=["ui-monospace", "monospace"],
        ).set(
            button_primary_background_fill="*primary_700",
            button_primary_background_fill_dark="*primary_700",
            button_primary_background_fill_hover="*primary_800",
            button_primary_background_fill_hover_dark="*primary_600",
        ),
        css_paths=Path(__file__).with_name("page.css"),
    )
    return str(page.local_url)
