"""How the burden score is said: never without its category, its interval and the share that was graded."""

from collections.abc import Sequence


def burden_name(protocol: str) -> str:
    """Return what the score is called; that of the joints is about inflammation and damage, not degeneration."""
    return "Sacroiliac burden score" if protocol == "sacroiliac" else "Degeneration burden score"


def burden_details(
    category: str | None, interval: Sequence[float] | None = None, completeness: float | None = None
) -> str:
    """Return what stands in brackets behind a score, such as ``moderate; 95 % interval 35 to 50; 61 % graded``.

    Args:
        category: Of the score.
        interval: Lower and upper end, 0 to 100; None when the grades tell no uncertainty.
        completeness: Share of the places asked for that were graded, 0 to 1; said when it is below 1.
    """
    parts = [str(category)]
    if interval is not None:
        parts.append(f"95 % interval {interval[0]:.0f} to {interval[1]:.0f}")
    if completeness is not None and completeness < 1:
        parts.append(f"{int(100 * completeness)} % graded")  # rounded down: 100 % is said of all only
    return "; ".join(parts)


def burden_limits(upper_bound: float | None, completeness: float | None) -> str:
    """Return one sentence on what is missing, empty when nothing is."""
    if completeness is None or completeness >= 1 or upper_bound is None:
        return ""
    return (
        f"A lower bound: {int(100 * completeness)} % of the places asked for were graded; with the others at "
        f"their worst it would be {upper_bound:.0f}."
    )
