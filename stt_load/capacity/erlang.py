"""The share of calls that a server with a fixed number of places refuses: Erlang's loss formula.

Calls come at random (Poisson), as many as ever, whatever the server does; one that finds every place taken is refused
and does not come again. Then the share that is refused depends on two numbers alone: the places, and the *offered
load*, which is calls per second × the seconds that a call lasts, in erlangs. How the lengths of calls are spread about
their mean changes nothing (A. K. Erlang 1917; B. A. Sevastyanov 1957).
"""

from __future__ import annotations


def erlang_b(erlangs: float, places: int) -> float:
    """The share of calls, 0 to 1, that are refused by so many places at such an offered load.

    By the recursion B(0) = 1, B(n) = a·B(n−1) / (n + a·B(n−1)), which is exact and overflows nowhere.
    """
    refused = 1.0
    for place in range(1, places + 1):
        refused = erlangs * refused / (place + erlangs * refused)
    return refused
