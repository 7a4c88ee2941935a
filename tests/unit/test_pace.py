"""Submit sizes grow while they are quick and shrink when they are not."""

from voxtab.sessions.pace import Pace


def test_quick_full_submits_double_up_to_the_most() -> None:
    pace = Pace(8, 64, 0.2)
    for expected in (16, 32, 64, 64):
        pace.measured(pace.size, 0.01)
        assert pace.size == expected


def test_a_short_submit_does_not_grow_the_next() -> None:
    pace = Pace(8, 64, 0.2)
    pace.measured(3, 0.001)
    assert pace.size == 8


def test_slow_submits_shrink_to_one_and_recover() -> None:
    pace = Pace(8, 64, 0.2)
    for expected in (4, 2, 1, 1):
        pace.measured(pace.size, 3.0)
        assert pace.size == expected
    pace.measured(1, 0.05)
    assert pace.size == 2
