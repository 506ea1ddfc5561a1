"""The process that reads: ``python -m imaging.isolate.child``. Its standard input is the file of ``handover``.

It gives up its rights before it touches the stranger's file, reads it with the ordinary ``load_study``, and writes
the answer in place of the request. It never imports a network library or torch.
"""

import os
import resource
import sys
from pathlib import Path

from imaging.isolate.handover import Answer, Request, failure_of, read_record, write_record
from imaging.isolate.sandbox import give_up_rights, limit_resources
from imaging.load import load_study

_KIB = 1 if sys.platform == "darwin" else 1024


def main() -> int:
    """Answer the one request; return 0 when there is an answer, be it an error."""
    with os.fdopen(0, "r+b") as stream:
        request = read_record(stream, Request)
        give_up_rights()
        limit_resources(request.limits)
        write_record(stream, _answer(request))
    return 0


def _answer(request: Request) -> Answer:
    study = failure = None
    try:
        study = load_study(
            Path(request.path),
            protocol=request.protocol,
            spacing=request.spacing,
            limits=request.limits,
            study=request.study,
        )
    except Exception as error:  # whatever it is, the parent raises it again
        failure = failure_of(error)
    return Answer(study, failure, _peak_bytes())


def _peak_bytes() -> int:
    """Return the most memory this process held; ru_maxrss would carry the parent's peak over from before exec."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    except (OSError, StopIteration):  # not Linux, or a sandbox that hides it
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _KIB


if __name__ == "__main__":
    sys.exit(main())
