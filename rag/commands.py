"""The command line: ``footnote ask``."""

import dataclasses
import json

import click

from models.terminal import patience

NOT_ANSWERED = 3
"""The exit code when the documents do not say."""


@click.command()
@click.argument("question")
@click.option("--name", default="default", show_default=True, help="Which index to ask.")
@click.option("--model", help="A model's name ('footnote models list'), or a GGUF file.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole record as JSON.")
def ask(question: str, name: str, model: str | None, as_json: bool) -> None:
    """Answer QUESTION, then show the quotes that support each sentence.

    Exit codes: 0 answered, 1 failed, 2 wrong usage, 3 the documents do not say.
    """
    with patience("Loading the models…"):
        from rag.chat import Chat, check_question  # noqa: PLC0415  (start-up time)

        check_question(question)
        chat = Chat.open(name=name, model=model)
    from rag.records import Done, Retrieved  # noqa: PLC0415

    for event in chat.stream(question):
        if isinstance(event, Retrieved) and event.hits:
            documents = dict.fromkeys(hit.passage.document for hit in event.hits)
            click.echo(f"Reading {len(event.hits)} passages of {', '.join(documents)}…", err=True)
        if isinstance(event, Done):
            answer = event.answer
    if as_json:
        record = dataclasses.asdict(answer) | {
            "citations": [dataclasses.asdict(citation) for citation in answer.citations]
        }
        click.echo(json.dumps(record, ensure_ascii=False, indent=2))
    else:
        click.echo(str(answer))
    raise SystemExit(NOT_ANSWERED if answer.is_refusal else 0)
