"""The command line: ``footnote ask`` and ``footnote eval``."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from models.errors import EvaluationError
from models.progress import counted
from models.terminal import patience, progress_bar
from rag import options
from rag.acceptable import check_question

if TYPE_CHECKING:
    from models.progress import OnProgress
    from rag.bench import Ratio
    from rag.evaluate import Figure

_BEGINS = 80
"""Characters of the best passage that are shown while the model still loads."""

_WITHOUT = "The library {} is missing: run \"pip install 'footnote[eval]'\"."

NOT_ANSWERED = 3
"""The exit code when the documents do not say."""


@click.command()
@click.argument("question")
@options.opening
@click.option("--json", "as_json", is_flag=True, help="Print the whole record as JSON.")
def ask(question: str, *, as_json: bool, **opening: Any) -> None:
    """Answer QUESTION, then show the quotes that support each sentence.

    Exit codes: 0 answered, 1 failed, 2 wrong usage, 3 the documents do not say.
    """
    check_question(question)
    with patience("Loading the models…"):
        from rag.chat import Chat  # noqa: PLC0415  (start-up time)

        chat = Chat.open(**opening)
    from rag.records import Done, Retrieved  # noqa: PLC0415

    for event in chat.stream(question):
        if isinstance(event, Retrieved) and event.hits:
            documents = dict.fromkeys(hit.passage.document for hit in event.hits)
            begins = " ".join(event.hits[0].passage.text[:_BEGINS].split())
            count = counted(len(event.hits), "passage")
            click.echo(f"Reading {count} of {', '.join(documents)}: “{begins}…”", err=True)
        if isinstance(event, Done):
            answer = event.answer
    if as_json:
        from rag.wire import AnswerRecord  # noqa: PLC0415

        click.echo(AnswerRecord.of(answer).model_dump_json(indent=2))
    else:
        click.echo(str(answer))
    raise SystemExit(NOT_ANSWERED if answer.is_refusal else 0)


@click.command("eval")
@click.argument("questions", type=click.Path(path_type=Path))
@click.option("--name", help="Which index to ask.  [default: default; for a folder, its own]")
@options.store
@options.model
@options.llm
@click.option("--retrieval", is_flag=True, help="Only search for the passages: no model answers.")
@click.option(
    "--only",
    type=click.Choice(["answerable", "unanswerable"]),
    help="Ask only the questions that the documents answer, or only the others.",
)
@options.reranker
@options.nli
@options.strictness
@click.option("--without-gold", is_flag=True, help="Hide the articles that hold the answers.")
@click.option("--sample", type=click.IntRange(min=1), help="Ask only so many, drawn by chance.")
@click.option("--seed", default=0, show_default=True, help="Which sample.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("evaluation"),
    show_default=True,
    help="The folder for evaluation.json and evaluation.html.",
)
def evaluate(  # noqa: PLR0917  (click gives them by name)
    questions: Path,
    name: str | None,
    store: str | None,
    model: str | None,
    llm: str | None,
    retrieval: bool,
    only: str | None,
    reranker: str | None,
    nli: str | None,
    strictness: float,
    without_gold: bool,
    sample: int | None,
    seed: int,
    output: Path,
) -> None:
    """Measure how good the answers to QUESTIONS are.

    QUESTIONS is a JSONL file, a question on each line with what is known of its answer, or a
    folder in the BEIR format, whose corpus is indexed first. docs/quality.md describes both.
    """
    if without_gold and only == "unanswerable":
        raise click.UsageError("--without-gold hides answers; --only unanswerable has none.")
    from rag.questions import (  # noqa: PLC0415  (start-up time)
        drawn,
        index_name,
        read_questions,
        write_documents,
    )

    wanted = [
        question
        for question in read_questions(questions)
        if only is None or question.is_answerable == (only == "answerable")
    ]
    if without_gold:
        wanted = [question for question in wanted if question.is_answerable and question.gold]
    if not wanted:
        raise EvaluationError(f"{questions} has no such question: give other ones, or no filter.")
    if sample is not None:
        wanted = drawn(wanted, sample, seed=seed)
    with patience("Loading the models…"):
        try:
            from rag.evaluate import WithoutGold, figures  # noqa: PLC0415  (start-up time)
            from rag.evaluate import evaluate as ask_all  # noqa: PLC0415
            from rag.report import About, write_report  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise EvaluationError(_WITHOUT.format(error.name)) from error
        from index.build import build  # noqa: PLC0415
        from index.cross_encoder import (  # noqa: PLC0415
            CrossEncoderEntailment,
            CrossEncoderReranker,
        )
        from index.search import Index  # noqa: PLC0415
        from rag.chat import Chat  # noqa: PLC0415
        from rag.generate import load_model  # noqa: PLC0415

    with progress_bar() as on_progress:
        if questions.is_dir():
            name = name or index_name(questions)
            build(write_documents(questions), name=name, store=store, on_progress=on_progress)
        reader = CrossEncoderReranker(reranker) if reranker else None
        index = Index.open(name or "default", store=store, reranker=reader)
        search = WithoutGold(index) if without_gold else index
        chat = None
        if not retrieval:
            chat = Chat(
                search=search,
                generate=load_model(model, llm=llm),
                strictness=strictness,
                entailment=CrossEncoderEntailment(nli) if nli else None,
            )
        cases = ask_all(wanted, search, chat=chat, on_progress=on_progress)
    found = figures(cases)
    about = About(
        questions=str(questions),
        asked=len(cases),
        model=next((case.answer.model for case in cases if case.answer), ""),
        seed=seed if sample is not None else None,
        without_gold=without_gold,
    )
    paths = write_report(output, about, found, cases)
    click.echo("\n".join(map(_line, found)))
    click.echo(f"Written: {', '.join(map(str, paths))}")


@click.command()
@click.argument(
    "parts",
    nargs=-1,  # rag.bench.PARTS, quality and search; a test holds them equal
    type=click.Choice(["start", "answers", "memory", "reading", "embedding", "quality", "search"]),
)
@click.option(
    "--turns",
    default=3,
    show_default=True,
    type=click.IntRange(min=1),
    help="How often each is measured.",
)
@click.option(
    "--questions",
    type=click.Path(path_type=Path),
    help="What quality is measured with: questions as “footnote eval” takes them.",
)
@click.option(
    "--sample",
    default=60,
    show_default=True,
    type=click.IntRange(min=1),
    help="How many of the questions are asked, drawn by chance.",
)
@click.option(
    "--passages",
    default=10_000,
    show_default=True,
    type=click.IntRange(min=100),
    help="The most passages among which search is measured; 250,000 take an hour the first time.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("bench"),
    show_default=True,
    help="The folder for bench.json and bench.svg, search.json and search.svg.",
)
def bench(  # noqa: PLR0917  (click gives them by name)
    parts: tuple[str, ...],
    turns: int,
    questions: Path | None,
    sample: int,
    passages: int,
    output: Path,
) -> None:
    """Measure the speed of PARTS (all), as ratios to plain use of the same libraries.

    Over the documents that come with Footnote, in an index of its own; search over ever more of
    the texts on this machine; quality, beside speed, with questions of yours.
    docs/performance.md says what is compared with what.
    """
    if "quality" in parts and not questions:
        raise click.UsageError("Quality is measured with questions: give --questions FOLDER.")
    with patience("Loading the libraries…"):
        from models.resolve import resolve_llm  # noqa: PLC0415  (start-up time)
        from rag import bench as measures  # noqa: PLC0415
        from rag import bench_search  # noqa: PLC0415
    lines: list[str] = []
    written: list[Path] = []
    with progress_bar() as on_progress:
        timed = [part for part in parts or measures.PARTS if part in measures.PARTS]
        ratios = measures.measure(timed, turns=turns, on_progress=on_progress)
        if questions and (not parts or "quality" in parts):
            ratios += _quality(questions, sample, turns=turns, on_progress=on_progress)
        if ratios:
            lines += measures.table(ratios)
            written += measures.write(output, ratios, turns=turns)
        if not parts or "search" in parts:
            with measures.own_home() as home:
                sizes = bench_search.sizes_up_to(passages)
                grown = bench_search.measure(home, sizes, turns=turns, on_progress=on_progress)
            lines += bench_search.table(grown)
            written += bench_search.write(output, grown, turns=turns)
    click.echo("\n".join(lines))
    if "reading" in timed and not measures.can_compare_reading(resolve_llm()):
        click.echo(
            "Reading a prompt has nothing to be compared with: this machine ends the library with "
            "its defaults. What it is compared with above has its weights as they are stored."
        )
    click.echo(f"Written: {', '.join(map(str, written)) or 'nothing'}")


def _quality(
    questions: Path, sample: int, *, turns: int, on_progress: "OnProgress"
) -> "list[Ratio]":
    try:
        from rag import bench_quality  # noqa: PLC0415  (start-up time)
    except ModuleNotFoundError as error:
        raise EvaluationError(_WITHOUT.format(error.name)) from error
    return bench_quality.measure(questions, sample=sample, turns=turns, on_progress=on_progress)


def _line(figure: "Figure") -> str:
    if figure.unit == "share":
        value = f"{figure.value:7.1%}  ({figure.low:.1%} to {figure.high:.1%})"
    else:
        value = f"{figure.value:6.1f}s  ({figure.low:.1f} to {figure.high:.1f})"
    return f"{figure.name:<52} {value}  {figure.cases} questions"
