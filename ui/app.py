"""The chat page: the wiring between the reader, the conversation and what is drawn."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import gradio as gr

from models.errors import FootnoteError, HistoryError
from models.progress import counted
from rag.acceptable import LONGEST_QUESTION, acceptable
from rag.line import Line, Waiting
from rag.records import Done
from rag.wire import AnswerRecord
from ui import export, reader, render
from ui.ahead import Ahead
from ui.documents import Shelf
from ui.documents_tab import DocumentsTab
from ui.history import History
from ui.landscape_tab import LandscapeTab, Mapped
from ui.launch import confine
from ui.parts import QUICK, html, pressed, warn
from ui.past import Past, Shown
from ui.session import Conversation, Session, answer, offered
from ui.turn import Turn
from ui.user import user_of

_REMEMBER = "(id) => history.replaceState(null, '', id ? `?conversation=${id}` : '?')"
"""Keeps the conversation in the address, so that the page comes back with it."""

_SAVE = """(file) => {
    if (!file) return;
    const { name, text } = JSON.parse(file);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text]));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}"""


_ASKED_ALL = "All documents are asked"

_BUSY = "An answer is being written: stop it first."

_MOST_EVENTS = 1000
"""That Gradio lets wait. Questions wait in the line, which turns away whoever asks too much."""


class Library(Shelf, Mapped, Protocol):
    """What the tabs show; the real one is ``index.library.Library``."""


class Page:
    """The components of the page, and what happens to them. Each tab has a session of its own."""

    def __init__(
        self,
        chat: Conversation,
        history: History,
        shelf: Library,
        *,
        title: str,
        examples: list[str],
        line: Line | None = None,
        reads_ahead: bool = True,
        on_over: Callable[[Turn], None] = lambda turn: None,
        where: str = render.STAYS_HERE,
    ) -> None:
        """Each tab talks to its own ``chat.fresh()``; ``examples`` are questions to begin with.

        Questions wait in ``line``. ``reads_ahead``: the model reads while somebody types, which is
        for a page that one person looks at. ``on_over`` is told of each turn that has ended.
        ``where`` says what becomes of a question.
        """
        self._where = where
        self._line = line or Line()
        self._reads_ahead = reads_ahead
        self._on_over = on_over
        self._chat = chat
        self._history = history
        self._shelf = shelf
        self._examples = examples
        self._ahead = Ahead()
        self._next: Conversation | None = None  # which the next session takes
        self._taking = threading.Lock()
        confine()
        self.blocks = gr.Blocks(title=title, fill_width=True, analytics_enabled=False)
        with self.blocks:
            self._lay_out(title)
            self._wire()
        self.blocks.queue(api_open=False, max_size=_MOST_EVENTS, default_concurrency_limit=1)

    # What there is

    def _lay_out(self, title: str) -> None:
        self.session = gr.State(None)
        self.address = gr.Textbox(visible="hidden")
        self.file = gr.Textbox(visible="hidden")
        self.past = Past(self._history)
        with gr.Row(elem_classes="header"):
            html(f"<h1>{render.plain(title)}</h1>")
            self.menu = html(render.menu())
            self.who = html("")
            self.renew = gr.Button("New conversation", size="sm", scale=0, min_width=160)
        with gr.Tabs(selected="chat", elem_classes="tabs") as self.tabs:
            with gr.Tab("Chat", id="chat"), gr.Row(elem_classes="desk"):
                with gr.Column(elem_classes="talk", scale=3, min_width=0):
                    with gr.Column(elem_classes="scroll"), gr.Column(elem_classes="thread"):
                        # What is over is drawn once; only the last exchange is drawn again
                        # and again, so the text above it can be read and selected in peace.
                        self.before = html("")
                        self.current = html(render.welcome(self._where))
                        with gr.Row(
                            elem_classes="examples", visible=bool(self._examples)
                        ) as self.offers:
                            self.offered = [gr.Button(one, size="sm") for one in self._examples]
                    with gr.Accordion(_ASKED_ALL, open=False, elem_classes="filter") as self.filter:
                        self.chosen = gr.Dropdown(
                            [],
                            multiselect=True,
                            label="Ask only these documents",
                            show_label=False,
                            container=False,
                        )
                    with gr.Row(elem_classes="composer"):
                        self.question = gr.Textbox(
                            label="Your question",
                            show_label=False,
                            placeholder="Ask a question",
                            lines=1,
                            max_lines=6,
                            max_length=LONGEST_QUESTION,
                            autofocus=True,
                            container=False,
                            scale=1,
                        )
                        self.send = gr.Button("Ask", variant="primary", scale=0, min_width=88)
                        self.halt = gr.Button("Stop", visible=False, scale=0, min_width=88)
                with gr.Column(elem_classes="sources", scale=2, min_width=0):
                    html("<h2>Sources</h2>")
                    self.source = html("")
                    with gr.Column(elem_classes="quotes") as self.quotes:
                        self.notes = html(render.no_sources())
                        self.earlier = html("")
            self.documents = DocumentsTab(self._shelf)
            self.map = LandscapeTab(self._shelf)
        self.controls = [self.send, self.halt, self.renew, self.offers]
        self.talk = [self.session, self.question, self.before, self.current, self.notes]
        self.talk += [self.earlier, self.source, self.quotes, self.address, *self.controls]

    # What happens

    def _wire(self) -> None:
        asked = [
            (self.question.submit, self.question),
            (self.send.click, self.question),
            *((offer.click, offer) for offer in self.offered),
        ]
        for event, source in asked:
            taken = event(
                self.take_question,
                [source, self.session],
                [*self.talk, self.chosen],
                **QUICK,
            )
            self._answer(taken)
        drawn = [self.menu, self.before, self.current, self.notes, self.earlier, self.source]
        for place in [*drawn, self.past.list, self.documents.table, self.map.about, self.map.found]:
            place.act(
                self.press,
                [self.session, self.past.wanted],
                [*self.talk, *self.past.drawn, self.chosen, self.tabs],
                **QUICK,
            )
            place.save(self.save, [self.session], [self.file], **QUICK).then(
                None, [self.file], None, js=_SAVE, **QUICK
            )
        self._answer(self.current.again(self.ask_again, [self.session], self.talk, **QUICK))
        self.menu.typed(self.read_ahead, [self.session], None, **QUICK)
        self.halt.click(self.stop, [self.session], self.talk, **QUICK)
        self.renew.click(self.start_again, None, [*self.talk, self.chosen], **QUICK)
        self.address.change(None, [self.address], None, js=_REMEMBER, **QUICK)
        self.chosen.change(
            self.choose, [self.chosen, self.session], [self.session, self.filter], **QUICK
        )
        self.past.wire(self.session)
        self.map.wire(self.session)
        self.documents.wire(self.chosen, self._chat)
        self.blocks.load(
            self.come_back,
            None,
            [*self.talk, *self.past.drawn, self.chosen],
            **QUICK,
        )
        self.blocks.load(self.welcome, None, [self.who, *self.documents.managing], **QUICK)
        gr.api(self.ask, api_name="ask", concurrency_limit=None)  # type: ignore[attr-defined]

    def _answer(self, taken: Any) -> None:
        """What follows when a question is taken."""
        taken.then(
            self.draw_answer,
            [self.session],
            [self.current, self.notes],
            concurrency_limit=None,
            show_progress="hidden",
            api_visibility="private",
        ).then(
            self.settle,
            [self.question, self.session, self.past.wanted],
            [*self.talk, self.past.list],
            **QUICK,
        )

    def _controls_for(self, session: Session | None) -> dict[Any, Any]:
        is_busy = session is not None and session.is_busy
        is_new = not (session and session.turns)
        return {
            self.send: gr.update(visible=not is_busy),
            self.halt: gr.update(visible=is_busy, value="Stop", interactive=True),
            self.renew: gr.update(interactive=not is_busy),
            self.offers: gr.update(visible=bool(self._examples) and is_new),
        }

    def _drawn(self, session: Session) -> dict[Any, Any]:
        """The whole conversation, and the quotes of its last answer."""
        over = session.turns[:-1]
        has_turns = bool(session.turns)
        return {
            self.session: session,
            self.before: render.conversation(over),
            self.current: _exchange(session) if has_turns else render.welcome(self._where),
            self.notes: render.sources(session.turns[-1]) if has_turns else render.no_sources(),
            self.earlier: render.earlier_sources(over),
            self.source: "",
            self.quotes: gr.update(visible=True),
            self.address: session.id if session.turns else "",
            **self._controls_for(session),
        }

    def _new(self) -> Session:
        with self._taking:
            conversation, self._next = self._next or self._chat.fresh(), None
        return Session(conversation)

    def _of_the_next(self) -> Conversation:
        with self._taking:
            self._next = self._next or self._chat.fresh()
            return self._next

    def _of(self, session: Session | None, request: gr.Request) -> Session:
        """The tab's session; a new one for a tab that has none."""
        return session or self._kept(request) or self._new()

    def _kept(self, request: gr.Request) -> Session | None:
        """The conversation that a tab shows whose session is not here.

        For that was another copy of the program, or this one before it was started again. What
        the page has for its address, browsers say with all that it asks.
        """
        headers = getattr(request, "headers", {})
        address = parse_qs(urlsplit(headers.get("referer", "")).query)
        [id_] = address.get("conversation", [""])[:1]
        with suppress(HistoryError):  # then another one begins
            return self.past.resumed(id_, self._chat, user_of(request)) if id_ else None
        return None

    def _turned_to(self, session: Session) -> dict[Any, Any]:
        """Another conversation, about all documents."""
        return {self.chosen: gr.update(value=[]), **self._drawn(session)}

    def take_question(
        self, text: str, session: Session | None, request: gr.Request
    ) -> dict[Any, Any]:
        """Show the question at once, before the model has time for it."""
        is_known = session is not None
        session = self._of(session, request)
        if not text.strip() or session.is_busy:
            return {self.session: session}
        try:
            session.ask(acceptable(text.strip()))
        except FootnoteError as error:  # the page itself lets nobody type such a question
            raise gr.Error(render.plain(str(error)), print_exception=False) from error
        with suppress(HistoryError):  # told when it is kept again, with its answer
            self.past.keep(session, user_of(request))
        drawn = {self.question: "", **self._drawn(session)}
        return drawn if is_known else {**drawn, self.chosen: gr.update(value=session.chosen)}

    async def draw_answer(
        self, session: Session | None, request: gr.Request
    ) -> AsyncGenerator[dict[Any, Any], None]:
        """The one event that needs the model, when it is the turn of whoever asks."""
        if session is None or not session.turns or session.turns[-1].stage != "waiting":
            return
        turn, user = session.turns[-1], user_of(request)
        try:
            async with aclosing(
                self._line.events(user.name, lambda: self._drawings(session))
            ) as events:
                async for event in events:
                    if not isinstance(event, Waiting):
                        yield event
                    elif turn.is_over:  # stopped while it waited
                        break
                    else:
                        yield {self.current: render.exchange(turn, waiting=event)}
            if self._reads_ahead:
                self._ahead.want(session.conversation, "")
        except FootnoteError as error:
            session.fail(str(error))
        finally:
            if not turn.is_over:  # whoever asked has gone while it waited
                turn.stop()
                session.put_back()
            self._on_over(turn)
            # Not here, where all others would wait for the database; and to the end in any case.
            keeping = asyncio.to_thread(self.past.keep, session, user)
            try:
                await asyncio.shield(keeping)
            except HistoryError as error:
                warn(error)

    def _drawings(self, session: Session) -> Iterator[dict[Any, Any]]:
        """What is drawn of the answer; in a thread, for the model takes its time."""
        if session.turns[-1].is_over:
            return
        with self._ahead.paused():
            for turn in answer(session):
                yield {self.current: render.exchange(turn), self.notes: render.sources(turn)}

    async def ask(self, question: str, request: gr.Request) -> dict[str, Any]:
        """For programs: the answer to a question that stands alone, as a record."""
        chat = self._chat.fresh()
        try:
            acceptable(question)
            events = self._line.events(user_of(request).name, lambda: chat.stream(question))
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, Done):
                        return AnswerRecord.of(event.answer).model_dump(mode="json")
        except FootnoteError as error:
            raise gr.Error(str(error)) from error
        raise gr.Error("The answer ended before it was whole: ask again.")

    def read_ahead(self, event: gr.EventData, session: Session | None) -> None:
        """While a question is being typed: what can be done for it before it is asked.

        It makes no session: the question may be asked meanwhile, which makes one, and whoever
        of the two came last would take the other's place. For a first question, the conversation
        reads that the next session takes.
        """
        if not self._reads_ahead:
            return
        conversation = session.typing() if session else self._of_the_next()
        if conversation:
            self._ahead.want(conversation, pressed(event)["question"])

    def settle(
        self, text: str, session: Session | None, wanted: str, request: gr.Request
    ) -> dict[Any, Any]:
        """Give back the controls, and a question that failed."""
        if session is None:  # the copy of the program that took the question is gone
            session = self._of(None, request)
            shown = Shown(wanted, user_of(request))
            return {**self._drawn(session), **self.past.listed(shown, session)}
        if session.is_busy or not session.turns:
            return self._controls_for(session)
        drawn = {
            self.address: session.id,
            self.current: _exchange(session),
            self.notes: render.sources(session.turns[-1]),
            **self.past.listed(Shown(wanted, user_of(request)), session),
            **self._controls_for(session),
        }
        if session.turns[-1].stage == "failed" and not text.strip():
            drawn[self.question] = session.turns[-1].question
        return drawn

    def ask_again(self, session: Session | None, request: gr.Request) -> dict[Any, Any]:
        """The last question once more, in place of its answer."""
        session = self._of(session, request)
        if session.is_busy or not session.turns:
            return {self.session: session}
        question = session.turns[-1].question
        session.is_editing = True
        session.ask(question)
        return self._drawn(session)

    def stop(self, session: Session | None, request: gr.Request) -> dict[Any, Any]:
        """End the answer that is being written."""
        if session is None or not session.is_busy:
            return self._controls_for(session)
        session.stopping.set()
        if session.turns[-1].stage == "waiting":  # its turn may come much later, or never
            session.turns[-1].stop()
            session.put_back()  # and kept by who waits for it
            return self._drawn(session)
        return {self.halt: gr.update(value="Stopping…", interactive=False)}

    def start_again(self) -> dict[Any, Any]:
        """A new conversation, about all documents."""
        return self._turned_to(self._new())

    def choose(
        self, documents: list[str], session: Session | None, request: gr.Request
    ) -> dict[Any, Any]:
        """Ask those documents alone from the next question on."""
        asked = f"{counted(len(documents), 'document')} asked" if documents else _ASKED_ALL
        drawn: dict[Any, Any] = {self.filter: gr.update(label=asked)}
        if session is None:
            drawn[self.session] = session = self._of(None, request)
        session.chosen = documents
        return drawn

    def come_back(self, request: gr.Request) -> dict[Any, Any]:
        """The list, and the conversation that the address names, if it names one."""
        id_ = request.query_params.get("conversation", "")
        shown = Shown("", user_of(request))
        choices = {self.chosen: gr.update(choices=offered(self._chat))}
        try:
            session = self.past.resumed(id_, self._chat, shown.user) if id_ else None
        except HistoryError as error:
            return {**choices, **self.past.told(shown, None, error)}
        drawn = self._drawn(session) if session else {}
        return {**choices, **drawn, **self.past.listed(shown, session)}

    def welcome(self, request: gr.Request) -> dict[Any, Any]:
        """Who has logged in, and what that one may do."""
        user = user_of(request)
        return {self.who: render.who(user), **self.documents.offered_to(user)}

    def save(self, event: gr.EventData, session: Session | None) -> dict[Any, Any]:
        """The conversation as a file, which the browser keeps."""
        if session is None or not session.turns:
            return {self.file: ""}
        is_page = pressed(event)["format"] == "html"
        write, ending = (export.as_page, "html") if is_page else (export.as_markdown, "md")
        name = f"{render.file_name(session.name)}.{ending}"
        text = write(session.name, session.turns)
        return {self.file: json.dumps({"name": name, "text": text})}

    # What is pressed in what is drawn

    def press(
        self, event: gr.EventData, session: Session | None, wanted: str, request: gr.Request
    ) -> dict[Any, Any]:
        """Whatever has a ``data-act``; see page.js."""
        made: dict[Any, Any] = {}
        if session is None:
            made[self.session] = session = self._of(None, request)
        found, shown = pressed(event), Shown(wanted, user_of(request))
        actions: dict[str, Callable[[dict[str, str], Session, Shown], dict[Any, Any]]] = {
            "resume": self._resume,
            "rename": self._show_list,
            "deleting": self._show_list,
            "list": self._show_list,
            "retitle": self._retitle,
            "delete": self._delete,
            "only": self._only,
            "edit": self._edit,
            "keep": self._edit,
            "rate": self._rate,
            "reason": self._rate,
        }
        action = actions.get(found.get("act", ""), self._read)
        try:
            drawn = {**made, **action(found, session, shown)}
        except HistoryError as error:
            drawn = self.past.told(shown, session, error)
        except FootnoteError as error:
            drawn = {self.source: render.told(str(error))}
        return drawn or {self.source: gr.skip()}  # Gradio takes nothing at all for an error

    def _read(self, found: dict[str, str], session: Session, _shown: Shown) -> dict[Any, Any]:
        """Open a source, go through it, close it."""
        session.view = reader.turned(session.view, session.turns, found)
        if session.view is None:
            return {self.source: "", self.quotes: gr.update(visible=True)}
        document = self._chat.document(session.view.document)
        return {
            self.source: reader.opened(session.view, document),
            self.quotes: gr.update(visible=False),
            self.tabs: gr.update(selected="chat"),
        }

    def _only(self, found: dict[str, str], session: Session, _shown: Shown) -> dict[Any, Any]:
        """The list of documents tells ``choose`` that it has changed."""
        chosen = [name for name in self._chat.documents() if name == found["document"]]
        return {self.chosen: gr.update(choices=offered(self._chat, chosen), value=chosen)}

    def _resume(self, found: dict[str, str], session: Session, shown: Shown) -> dict[Any, Any]:
        if session.is_busy:
            raise HistoryError(_BUSY)
        kept = self.past.resumed(found["id"], self._chat, shown.user)
        return {**self._turned_to(kept), **self.past.listed(shown, kept)}

    def _show_list(self, found: dict[str, str], session: Session, shown: Shown) -> dict[Any, Any]:
        opens = {"rename": "renaming", "deleting": "deleting"}
        open_ = {opens[found["act"]]: found["id"]} if found["act"] in opens else {}
        return self.past.listed(shown, session, **open_)

    def _retitle(self, found: dict[str, str], session: Session, shown: Shown) -> dict[Any, Any]:
        title = " ".join(found.get("title", "").split())
        if title:
            self.past.rename(found["id"], title, shown.user)
            if found["id"] == session.id:
                session.title = title
        return self.past.listed(shown, session)

    def _delete(self, found: dict[str, str], session: Session, shown: Shown) -> dict[Any, Any]:
        if found["id"] == session.id and session.is_busy:
            raise HistoryError(_BUSY)
        self.past.delete(found["id"], shown.user)
        if found["id"] != session.id:
            return self.past.listed(shown, session)
        new = self._new()
        return {**self._turned_to(new), **self.past.listed(shown, new)}

    def _edit(self, found: dict[str, str], session: Session, _shown: Shown) -> dict[Any, Any]:
        if session.is_busy or not session.turns:
            return {}
        session.is_editing = found["act"] == "edit"
        question = session.turns[-1].question if session.is_editing else ""
        return {self.question: question, self.current: _exchange(session)}

    def _rate(self, found: dict[str, str], session: Session, shown: Shown) -> dict[Any, Any]:
        turn = session.turn(reader.number_in(found, "turn"))
        if turn is None:
            return {}
        turn.rate(found.get("rating", ""), found.get("reason", ""))
        if not session.is_busy:
            self.past.keep(session, shown.user)
        if turn is session.turns[-1]:
            return {self.current: _exchange(session)}
        return {self.before: render.conversation(session.turns[:-1])}


def build_page(
    chat: Conversation,
    history: History,
    shelf: Library,
    *,
    title: str,
    examples: list[str],
    **sharing: Any,
) -> gr.Blocks:
    """The page; see ``Page``."""
    return Page(chat, history, shelf, title=title, examples=examples, **sharing).blocks


def _exchange(session: Session) -> str:
    return render.exchange(session.turns[-1], is_last=True, is_editing=session.is_editing)
