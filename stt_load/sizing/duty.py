"""How many callers of yours make as much load as the callers of a test, who may talk more or less than yours.

A server works on the streams that carry audio at a moment. Of n callers who each send audio a share d of the time,
independently, that number is binomial: n·d on average, and its 99th percentile is what the busiest moments bring. Test
callers and your callers are the same load for the server where neither figure of yours is above that of the test. The
average alone would not do: 60 callers at 30 % are 18 streams on average, as 20 at 90 % are, but 26 in 1 % of moments,
when the test never had more than its 20.
"""

from __future__ import annotations

from bisect import bisect_left

from stt_load.metrics.quantiles import binomial_cdf

BUSY = 0.99
"""The percentile of the number of streams at a moment that is compared beside the average."""


def busy_streams(callers: int, duty: float) -> int:
    """At most so many of these callers send audio at once, in 99 % of moments."""
    return bisect_left(range(callers), BUSY, key=lambda streams: binomial_cdf(streams, callers, duty))


def equal_callers(tested: int, tested_duty: float, duty: float) -> int:
    """The largest number of callers with this duty cycle that is no more load than `tested` callers with theirs.

    It is `tested` where both duty cycles are the same. 0 where not even one caller is as little load.
    """
    if duty == tested_duty:
        return tested
    mean, busy = tested * tested_duty, busy_streams(tested, tested_duty)
    most = int(mean / duty + 1e-9)
    return bisect_left(range(1, most + 1), True, key=lambda callers: busy_streams(callers, duty) > busy)
