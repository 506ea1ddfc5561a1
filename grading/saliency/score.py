"""The number that a grade's heat speaks for, read off the network's logits.

Absent and present are explained alike, by what speaks for the change: heat of an absent grade is what spoke for
presence and did not suffice. There is nothing to point at in "nothing is there".

- Two steps: the logit of presence.
- Ordered steps: the logit of "at least the named step"; for the first step of "worse than it".
- Categories: the log-odds of the named step against all others; for the first step (no change) of any change.
"""

from torch import Tensor


def grade_score(logits: Tensor, named: int, steps: int) -> Tensor:
    """Return the score of one graded place.

    Args:
        logits: (K - 1,) of an ordinal or binary head, (K,) of a categorical one.
        named: Index of the grade on its scale.
        steps: K.

    Returns:
        A scalar that can be differentiated.

    Raises:
        ValueError: If the logits fit neither kind of head.
    """
    if logits.shape == (steps - 1,):
        return logits[max(named - 1, 0)]
    if logits.shape != (steps,):
        raise ValueError(f"logits: expected ({steps - 1},) or ({steps},), got {tuple(logits.shape)}")
    if named == 0:
        return logits[1:].logsumexp(0) - logits[0]
    rest = [index for index in range(steps) if index != named]
    return logits[named] - logits[rest].logsumexp(0)


def score_words(named: str, steps: tuple[str, ...], logits: int) -> str:
    """Return what ``grade_score`` stands for, such as ``log-odds of present``.

    Args:
        named: Grade.
        steps: Steps of its scale, first one without change.
        logits: Number of logits of its head.
    """
    if logits == len(steps):
        return f"log-odds of {named}" if named != steps[0] else f"log-odds of any step but {named}"
    if len(steps) == 2:
        return f"log-odds of {steps[1]}"
    return f"log-odds of {named} or worse" if named != steps[0] else f"log-odds of worse than {named}"
