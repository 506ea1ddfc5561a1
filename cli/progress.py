"""Progress on the error stream: a bar on a terminal, plain lines everywhere else."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from runtime.progress import Progress

if TYPE_CHECKING:
    from tqdm import tqdm

_STEPS = 100


class ProgressDisplay:
    """Draws the progress of one study.

    Args:
        title: File name and place in the queue, such as ``[2/5] scan.png``.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> ProgressDisplay:
        if sys.stderr.isatty():
            from tqdm import tqdm

            form = "{desc} {percentage:3.0f}% |{bar}| {elapsed} {postfix}"
            self._bar = tqdm(total=_STEPS, desc=self._title, bar_format=form, leave=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, event: Progress) -> None:
        """Draw one step."""
        if self._bar is None:
            print(f"{self._title}: {event.fraction:4.0%} {event.message}", file=sys.stderr, flush=True)
            return
        self._bar.set_postfix_str(event.message, refresh=False)
        self._bar.update(event.fraction * _STEPS - self._bar.n)
