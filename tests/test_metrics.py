"""What is counted and timed, and that no label holds what somebody wrote."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from models.errors import FootnoteError, ModelError, QuestionError
from rag.records import Answer, Sentence, Timings
from serve.metrics import OUTCOMES, VIAS, Metrics
from tests.browser import make_answer, make_citation


def reading(metrics: Metrics) -> dict[str, float]:
    """Each series as ``name{label="value"}``, as Prometheus reads the page."""
    page, content_type = metrics.page()
    assert content_type.startswith("text/plain; version=")
    read = {}
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            read[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return read


def an_answer(timings: Timings) -> Answer:
    quote = make_citation(1, "Two planes landed.")
    made = make_answer(
        "What landed?",
        [
            ("Two planes landed.", "supported", [quote]),
            ("One was white.", "partly", [quote]),
            ("It rained.", "unsupported", []),
            ("They were late.", "supported", [quote]),
        ],
    )
    return Answer(
        question=made.question,
        query=made.query,
        text=made.text,
        sentences=made.sentences,
        is_refusal=False,
        hits=(),
        model="scripted",
        timings=timings,
    )


def test_all_that_may_be_counted_is_there_at_zero_from_the_start() -> None:
    read = reading(Metrics())
    for via in VIAS:
        assert read[f'footnote_questions_total{{via="{via}"}}'] == 0
        for outcome in OUTCOMES:
            assert read[f'footnote_answers_total{{outcome="{outcome}",via="{via}"}}'] == 0
    assert read['footnote_sentences_total{status="unsupported"}'] == 0
    assert read["footnote_line_length"] == 0


def test_an_answer_counts_its_sentences_and_its_stages() -> None:
    metrics = Metrics()
    metrics.asked("api")
    metrics.waited(3.0)
    metrics.answered(an_answer(Timings(search=0.2, first_token=2.0, total=9.0, tokens=40)), "api")
    read = reading(metrics)
    assert read['footnote_questions_total{via="api"}'] == 1
    assert read['footnote_answers_total{outcome="answered",via="api"}'] == 1
    assert read['footnote_answers_total{outcome="refused",via="api"}'] == 0
    assert read['footnote_sentences_total{status="supported"}'] == 2
    assert read['footnote_sentences_total{status="partly"}'] == 1
    assert read['footnote_sentences_total{status="unsupported"}'] == 1
    assert read['footnote_sentences_total{status="missing"}'] == 0
    assert read["footnote_tokens_total"] == 40
    sums = {stage: read[f'footnote_stage_seconds_sum{{stage="{stage}"}}'] for stage in
            ("waiting", "search", "first_word", "whole")}  # fmt: skip
    assert sums == {"waiting": 3.0, "search": 0.2, "first_word": 2.0, "whole": 9.0}
    assert read['footnote_stage_seconds_bucket{le="10.0",stage="whole"}'] == 1
    assert read['footnote_stage_seconds_bucket{le="5.0",stage="whole"}'] == 0


def test_a_refusal_without_a_word_of_the_model_has_no_first_word() -> None:
    metrics = Metrics()
    metrics.answered(make_answer("Who?", []), "mcp")
    told = make_answer("Who?", [])
    metrics.answered(Answer(told.question, told.query, told.text, (), True, (), "scripted"), "mcp")
    read = reading(metrics)
    assert read['footnote_answers_total{outcome="refused",via="mcp"}'] == 2
    assert read['footnote_stage_seconds_count{stage="first_word"}'] == 1
    assert read['footnote_stage_seconds_count{stage="whole"}'] == 2


def test_what_the_model_wrote_is_counted_apart_from_what_is_shown() -> None:
    metrics = Metrics()
    metrics.written(Sentence("It rained.", 0, 10, "unsupported"))
    read = reading(metrics)
    assert read['footnote_sentences_written_total{status="unsupported"}'] == 1
    assert read['footnote_sentences_total{status="unsupported"}'] == 0


def test_the_ways_in_which_a_question_gets_no_answer() -> None:
    metrics = Metrics()
    metrics.stopped("page")
    metrics.turned_away("openai")
    metrics.failed("api", QuestionError("The question “Who betrayed whom?” is too long."))
    metrics.failed("api", ModelError("The model cannot be reached."))
    metrics.failed("api", KeyError("Who betrayed whom?"))
    read = reading(metrics)
    assert read['footnote_answers_total{outcome="stopped",via="page"}'] == 1
    assert read['footnote_answers_total{outcome="turned_away",via="openai"}'] == 1
    assert read['footnote_answers_total{outcome="failed",via="api"}'] == 3
    assert read['footnote_failures_total{error="QuestionError"}'] == 1
    assert read['footnote_failures_total{error="ModelError"}'] == 1
    assert read['footnote_failures_total{error="unexpected"}'] == 1
    assert b"betrayed" not in metrics.page()[0]


def test_the_line_is_asked_at_each_reading() -> None:
    metrics, line = Metrics(), [1, 2]
    metrics.follow(waiting=lambda: len(line), answering=lambda: 1)
    assert reading(metrics)["footnote_line_length"] == 2
    assert reading(metrics)["footnote_answering"] == 1
    line.clear()
    assert reading(metrics)["footnote_line_length"] == 0


def test_requests_are_counted_by_template_and_streams_are_not_timed() -> None:
    metrics = Metrics()
    metrics.request(route="/api/documents/{id}", method="GET", status=200, seconds=0.02)
    metrics.request(route="/api/ask", method="POST", status=200, seconds=None)
    metrics.request(route="other", method="BREW", status=405, seconds=0.001)
    read = reading(metrics)
    counted = 'footnote_http_requests_total{method="%s",route="%s",status="%d"}'
    assert read[counted % ("GET", "/api/documents/{id}", 200)] == 1
    assert read[counted % ("POST", "/api/ask", 200)] == 1
    assert read[counted % ("other", "other", 405)] == 1
    assert read['footnote_http_seconds_count{route="/api/documents/{id}"}'] == 1
    assert 'footnote_http_seconds_count{route="/api/ask"}' not in read


def test_two_servers_in_one_program_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.asked("page")
    assert reading(one)['footnote_questions_total{via="page"}'] == 1
    assert reading(other)['footnote_questions_total{via="page"}'] == 0


def test_the_version_and_the_memory_are_told() -> None:
    read = reading(Metrics())
    assert any(re.fullmatch(r'footnote_build_info\{version="\d+\.\d+\.\d+"\}', key) for key in read)
    if "process_resident_memory_bytes" not in read:
        pytest.skip("this system does not tell a process's memory")
    assert read["process_resident_memory_bytes"] > 1_000_000


@pytest.mark.parametrize("error", [FootnoteError("x"), QuestionError("x")])
def test_an_error_s_kind_is_its_class(error: FootnoteError) -> None:
    metrics = Metrics()
    metrics.failed("page", error)
    assert reading(metrics)[f'footnote_failures_total{{error="{type(error).__name__}"}}'] == 1
