"""What a collection needs: the arithmetic, by hand."""

import pytest

from benchmarks.plan import Measured, Prices, costs, need, replicas, tables

MEASURED = Measured(disk=3000.0, passages_per_second=100.0, answer=3.6)


def test_bytes_and_hours_of_a_million_passages() -> None:
    one = need(1_000_000, MEASURED, gpu=5000.0)
    assert one.disk == 3e9
    assert one.flat == 1_536_000_000  # 384 components of four bytes
    assert one.hnsw == 1_664_000_000  # and 32 links of four bytes
    assert one.cells == 392_000_000  # a byte a component, and eight for the id
    assert one.on_disk == 192_000_000  # an eighth of the vectors
    assert one.cpu_hours == pytest.approx(2.7778, abs=1e-4)  # 10,000 seconds
    assert one.gpu_hours == pytest.approx(0.0556, abs=1e-4)


@pytest.mark.parametrize(
    ("questions", "seconds", "at_once", "expected"),
    [(1000, 3.6, 1, 2), (1000, 3.6, 16, 1), (100_000, 3.6, 16, 9), (0, 3.6, 1, 0)],
)
def test_model_servers(questions: float, seconds: float, at_once: int, expected: int) -> None:
    # 1,000 an hour of 3.6 s: one is under way on average, which fills 1.43 places to 0.7.
    assert replicas(questions, seconds, at_once=at_once, busy=0.7) == expected


def test_the_tables_have_every_size() -> None:
    lines = tables(MEASURED, gpu=5000.0, node=64.0)
    assert lines[2] == (
        "| 100,000 | 286 MiB | 146 MiB | 159 MiB | 37 MiB | 18 MiB | 1, 1 | 17 min | 0 min |"
    )
    assert lines[6].startswith("| 1,000,000,000 | 2,794.0 GiB | 1,430.5 GiB |")


def test_what_a_hundred_million_passages_cost() -> None:
    lines = costs(MEASURED, Prices(machine=0.1, gpu=1.0, node=0.5), gpu=5000.0, node=64.0)
    # 10^6 s of two cores, 20,000 s of a GPU; four query nodes of 44.8 GiB for 155, one for 18.
    assert lines[5] == "| 100,000,000 | 27.78 | 5.56 | 1,460.00 | 365.00 |"
