"""What the server counts and times, as Prometheus reads it at ``/metrics``.

Labels hold what this program names itself: a stage, an outcome, the template of a route. Never
what somebody typed, a document's name or a user's, for whoever reads the metrics may read none
of those; and every value of a label is a series that is kept until the program ends.
"""

from collections.abc import Callable
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from models.errors import FootnoteError
from rag.records import Answer, Sentence

VIAS = ("page", "api", "openai", "mcp")
"""The ways by which a question comes."""

OUTCOMES = ("answered", "refused", "failed", "stopped", "turned_away")
"""What becomes of a question; it is counted once, under one of them."""

_STATUSES = ("supported", "partly", "unsupported", "missing")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Others are whatever a client makes up, and are counted together."""

_STAGE_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 900)
_HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        """All at zero."""
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # memory, processor time, open files
        Info("footnote_build", "The program that runs.", registry=registry).info(
            {"version": version("footnote")}
        )
        self._stages = Histogram(
            "footnote_stage_seconds",
            "Seconds of a question: waiting in the line; and from its turn on until the search "
            "had ended, until the first word, and until the whole answer.",
            ["stage"],
            buckets=_STAGE_SECONDS,
            registry=registry,
        )
        self._questions = Counter(
            "footnote_questions", "Questions that were asked.", ["via"], registry=registry
        )
        self._answers = Counter(
            "footnote_answers",
            "What became of them.",
            ["via", "outcome"],
            registry=registry,
        )
        self._failures = Counter(
            "footnote_failures",
            "Questions that failed, by the kind of error.",
            ["error"],
            registry=registry,
        )
        self._sentences = Counter(
            "footnote_sentences",
            "Sentences of the answers, by how far the quotes support them.",
            ["status"],
            registry=registry,
        )
        self._written = Counter(
            "footnote_sentences_written",
            "Sentences as the model wrote them, before those that nothing supports were left out.",
            ["status"],
            registry=registry,
        )
        self._tokens = Counter(
            "footnote_tokens", "Tokens that the model wrote in whole answers.", registry=registry
        )
        self._requests = Counter(
            "footnote_http_requests", "HTTP requests.", ["route", "method", "status"],
            registry=registry,
        )  # fmt: skip
        self._http = Histogram(
            "footnote_http_seconds",
            "Seconds of HTTP requests, but not of event streams: they last while a reader looks.",
            ["route"],
            buckets=_HTTP_SECONDS,
            registry=registry,
        )
        self._line = Gauge("footnote_line_length", "Questions that wait.", registry=registry)
        self._answering = Gauge(
            "footnote_answering", "Questions that are being answered.", registry=registry
        )
        self._begin()

    def _begin(self) -> None:
        """Makes the series that are sure to come, so that a first event counts as a rise."""
        for stage in ("waiting", "search", "first_word", "whole"):
            self._stages.labels(stage)
        for via in VIAS:
            self._questions.labels(via)
            for outcome in OUTCOMES:
                self._answers.labels(via, outcome)
        for status in _STATUSES:
            self._sentences.labels(status)
            self._written.labels(status)

    def follow(self, *, waiting: Callable[[], int], answering: Callable[[], int]) -> None:
        """Ask those two for the length of the line and the answers under way, at each reading."""
        self._line.set_function(waiting)
        self._answering.set_function(answering)

    # What becomes of a question

    def asked(self, via: str) -> None:
        """A question came; one of ``answered`` to ``turned_away`` tells how it ends."""
        self._questions.labels(via).inc()

    def waited(self, seconds: float) -> None:
        """A question had its turn, after so long."""
        self._stages.labels("waiting").observe(seconds)

    def written(self, sentence: Sentence) -> None:
        """The model wrote a sentence, and it was checked; it may still be left out."""
        self._written.labels(sentence.status).inc()

    def answered(self, answer: Answer, via: str) -> None:
        """A question has its whole answer, or the refusal."""
        self._answers.labels(via, "refused" if answer.is_refusal else "answered").inc()
        for sentence in answer.sentences:
            self._sentences.labels(sentence.status).inc()
        self._tokens.inc(answer.timings.tokens)
        self._stages.labels("search").observe(answer.timings.search)
        if answer.timings.first_token is not None:
            self._stages.labels("first_word").observe(answer.timings.first_token)
        self._stages.labels("whole").observe(answer.timings.total)

    def failed(self, via: str, error: BaseException) -> None:
        """A question ended in an error."""
        self._answers.labels(via, "failed").inc()
        kind = type(error).__name__ if isinstance(error, FootnoteError) else "unexpected"
        self._failures.labels(kind).inc()

    def stopped(self, via: str) -> None:
        """Whoever asked does not want the answer any more."""
        self._answers.labels(via, "stopped").inc()

    def turned_away(self, via: str) -> None:
        """The line was full."""
        self._answers.labels(via, "turned_away").inc()

    # What becomes of a request

    def request(self, *, route: str, method: str, status: int, seconds: float | None) -> None:
        """A request was answered; ``seconds`` is None for a stream of events."""
        method = method if method in METHODS else "other"
        self._requests.labels(route, method, str(status)).inc()
        if seconds is not None:
            self._http.labels(route).observe(seconds)

    def page(self) -> tuple[bytes, str]:
        """The text that Prometheus reads, and its content type."""
        return generate_latest(self._registry), CONTENT_TYPE_LATEST
