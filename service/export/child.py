"""The process that exports: ``python -m service.export.child FD``.

Standard input is a file with the request (pickled by the service, which it trusts); the descriptor is an empty
file for the export. It gives up its rights before it opens the upload, writes the export, and puts the answer, as
JSON, in place of the request: the service believes nothing else from a process that read a stranger's file.
"""

from __future__ import annotations

import os
import pickle
import sys

from imaging.isolate.handover import failure_of, write_record
from imaging.isolate.sandbox import give_up_rights, limit_resources
from service.export.make import make_export
from service.export.request import Answer, Request


def main(descriptor: int) -> int:
    """Answer the one request; return 0 when there is an answer, be it an error."""
    with os.fdopen(0, "r+b") as stream, os.fdopen(descriptor, "w+b") as target:
        request: Request = pickle.load(stream)
        give_up_rights()
        limit_resources(request.limits)
        try:
            answer = make_export(request, target)
        except Exception as error:  # whatever it is, the service raises it again
            answer = Answer("", "", {}, failure_of(error))
        write_record(stream, answer)
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
