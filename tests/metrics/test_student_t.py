import pytest

from stt_load.metrics.student_t import student_t, student_t_cdf


@pytest.mark.parametrize(
    ("p", "degrees", "expected"),
    [
        (0.975, 1, 12.7062),
        (0.975, 2, 4.3027),
        (0.975, 3, 3.1824),
        (0.95, 4, 2.1318),
        (0.975, 10, 2.2281),
        (0.995, 11, 3.1058),
        (0.999, 30, 3.3852),
        (0.975, 120, 1.9799),
        (0.975, 5_000, 1.9600),
    ],
)
def test_quantiles_are_those_of_the_printed_tables(p: float, degrees: int, expected: float) -> None:
    assert student_t(p, degrees) == pytest.approx(expected, abs=1e-4)


def test_the_quantile_is_the_inverse_of_the_distribution() -> None:
    for degrees in (1, 2, 7, 8, 250):
        assert student_t_cdf(student_t(0.99, degrees), degrees) == pytest.approx(0.99)
    assert student_t_cdf(0.0, 5) == 0.5
