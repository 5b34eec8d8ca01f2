"""How often somebody may do something, by a clock that the test sets."""

from serve.rates import Locks, Rate


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_no_window_holds_more_than_it_may() -> None:
    clock = Clock()
    rate = Rate(3, seconds=60, clock=clock)
    waits = []
    for seconds in (0, 30, 29, 0, 1, 0, 30):
        clock.now += seconds
        waits.append(rate.wait("desk-1"))
    # At 0, 30 and 59 it may; at 59 the first is still too new by a second; at 60 it is gone; then
    # the one of 30 is, at 90.
    assert waits == [0, 0, 0, 1, 0, 30, 0]
    assert rate.wait("desk-2") == 0


def test_to_wait_does_not_make_the_wait_longer() -> None:
    clock = Clock()
    rate = Rate(1, seconds=60, clock=clock)
    assert rate.wait("desk-1") == 0
    for second in range(60):
        assert rate.wait("desk-1") == 60 - second
        clock.now += 1
    assert rate.wait("desk-1") == 0


def test_whoever_was_quiet_longest_is_forgotten() -> None:
    rate = Rate(2)
    for number in range(25_000):
        assert rate.wait(f"192.0.2.{number}") == 0
        if number % 5_000 == 0:
            rate.wait("desk-1")
    assert len(vars(rate)["_times"]) == 10_000
    assert rate.wait("desk-1") > 0
    locks = Locks(1)
    for number in range(25_000):
        locks.begin(f"name-{number}")
    assert len(vars(locks)["_tries"]) == 10_000
    assert locks.locked("name-24999") > 0
    assert locks.locked("name-0") == 0


def test_a_lock_lasts_from_the_last_try() -> None:
    clock = Clock()
    locks = Locks(2, seconds=300, clock=clock)
    locks.begin("desk-1")
    clock.now += 299
    assert locks.locked("desk-1") == 0
    locks.begin("desk-1")
    assert locks.locked("desk-1") == 300
    clock.now += 299.5
    assert locks.locked("desk-1") == 0.5
    clock.now += 0.5
    assert locks.locked("desk-1") == 0
    locks.begin("desk-1")
    assert locks.locked("desk-1") == 0  # the two of before count no more


def test_a_try_that_was_right_is_taken_back() -> None:
    locks = Locks(2)
    locks.begin("192.0.2.1")
    locks.begin("192.0.2.1")
    assert locks.locked("192.0.2.1") > 299
    locks.take_back("192.0.2.1")
    assert locks.locked("192.0.2.1") == 0
    locks.begin("192.0.2.1")
    assert locks.locked("192.0.2.1") > 299
    locks.forget("192.0.2.1")
    assert locks.locked("192.0.2.1") == 0
    locks.take_back("192.0.2.1")
