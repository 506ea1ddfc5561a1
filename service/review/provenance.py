"""What made the findings of a report, for audit lines and exports: models, versions, rules, thresholds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reporting.export.content import made_by

if TYPE_CHECKING:
    from service.review.case import Case


def provenance_of(case: Case) -> dict[str, Any]:
    """Return the models (by checksum), versions, rules and thresholds behind a report; nothing of the patient."""
    made = case.document["provenance"]
    gate = case.document["eligibility"].get("ood") or {}
    return {"reading": case.reading_id, **made_by(made, gate)}
