"""The process that evaluates: ``python -m service.research.child FOLDER``; its request is ``FOLDER/request.json``.

It loads what it needs, gives up its rights but to write in that folder, unpacks, scores, and writes the pages to
``FOLDER/out`` and how it went to ``FOLDER/answer.json``. The files it reads are a stranger's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import evaluation.pages
from evaluation.options import TEXT_METRICS, EvaluationOptions
from evaluation.run import evaluate
from imaging import unpack_zip
from imaging.isolate.sandbox import give_up_rights, limit_resources
from imaging.limits import Limits, applied
from runtime.errors import SpineScribeError
from service.research.supervision import ANSWER, OUT, REQUEST

_JAVA_METRICS = {"meteor", "spice"}
"""They start Java, which this process may not; the command line has them."""


def main(folder: Path) -> int:
    """Answer the request of a folder; return 0 when there is an answer, be it an error."""
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    limits = Limits(**request["limits"])
    give_up_rights(folder)
    limit_resources(limits)
    with applied(limits):
        answer = _answer(request, folder)
    (folder / ANSWER).write_text(json.dumps(answer), encoding="utf-8")
    return 0


def _answer(request: dict[str, Any], folder: Path) -> dict[str, str | None]:
    try:
        _evaluate(request["task"], folder / request["predictions"], folder / request["references"], folder)
    except SpineScribeError as error:
        return {"cause": str(error), "fault": None}
    except MemoryError:
        return {"cause": None, "fault": "memory"}
    except Exception as error:  # its words may quote the files: only its kind is told
        return {"cause": None, "fault": type(error).__name__}
    return {"cause": None, "fault": None}


def _evaluate(task: str, predictions: Path, references: Path, folder: Path) -> None:
    options = EvaluationOptions(metrics=tuple(name for name in TEXT_METRICS if name not in _JAVA_METRICS))
    done = evaluate(task, _opened(predictions), _opened(references), options)
    command = f"spinescribe evaluate {task} --predictions {predictions.name} --references {references.name}"
    evaluation.pages.write_pages(done, folder / OUT, options, command=command)


def _opened(upload: Path) -> Path:
    """Return the upload, or the folder that it was unpacked to."""
    if upload.suffix != ".zip":
        return upload
    folder = upload.with_suffix("")
    folder.mkdir()
    found = unpack_zip(upload, folder)
    return found if found == folder else found.rename(folder.with_name(f"{folder.name}-files"))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
