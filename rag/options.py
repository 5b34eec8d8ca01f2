"""Options that several commands share. No model is imported for them, so --help starts at once."""

from collections.abc import Callable

import click

from models.errors import ModelError
from rag.address import address_of

name = click.option("--name", default="default", show_default=True, help="Which index to ask.")

store = click.option(
    "--store", metavar="URL", help="Where the index is kept, if it is in Milvus; see 'index'."
)

model = click.option(
    "--model",
    help="A model's name ('footnote models list'), or a GGUF file; with --llm, one of its server.",
)


def _checked(_context: click.Context, _option: click.Parameter, address: str | None) -> str | None:
    try:
        if address is not None:
            address_of(address)
    except ModelError as error:
        raise click.BadParameter(str(error)) from None
    return address


llm = click.option(
    "--llm",
    metavar="URL",
    callback=_checked,
    help="Let an OpenAI-compatible server write, such as llama-server at http://127.0.0.1:8080/v1; "
    "what it wants as a key is in FOOTNOTE_LLM_KEY.",
)

reranker = click.option(
    "--reranker", help="A cross-encoder that orders the passages: a folder, or its name."
)

nli = click.option(
    "--nli",
    help="A cross-encoder that every quote must convince, too: a folder, or its name.",
)

documents = click.option(
    "--document",
    "documents",
    multiple=True,
    callback=lambda _context, _option, names: names or None,
    help="Ask only this document, or those of a pattern such as '2019/*'; may be repeated.",
)

strictness = click.option(
    "--strictness",
    type=click.FloatRange(0, 1),
    default=0.4,  # rag.answerable.STRICTNESS; a test holds them equal
    show_default=True,
    help="How likely it must be that an answer answers the question; else it is refused.",
)

lenient = click.option(
    "--lenient",
    "is_lenient",
    is_flag=True,
    help="Show sentences that nothing supports, marked.",
)


def opening(command: Callable[..., None]) -> Callable[..., None]:
    """All options of ``Chat.open``, by its names: a command hands them on as they are."""
    options = (lenient, strictness, nli, reranker, llm, model, documents, store, name)
    for option in options:  # the last is shown first
        command = option(command)
    return command
