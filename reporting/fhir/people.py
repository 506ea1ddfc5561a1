"""Who is in a bundle: a patient without identity, readers who decided and signed, programs that computed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from reporting.fhir import codes
from reporting.fhir.context import Context, Resource
from reporting.fhir.narrative import plain
from reporting.fhir.study import source_value

_AI = codes.coding(codes.DCM, "123110", "Artificial Intelligence")
_AUTHOR, _ASSEMBLER, _VERIFIER = "author", "assembler", "verifier"


def patient(context: Context) -> Resource:
    """Return the patient: our key of the study; the ID of the source only where identifiers were asked for."""
    identifiers: list[Resource] = [{"system": codes.STUDY, "value": context.package.outgoing.study_key}]
    number = source_value(context, "PatientID")
    if number:
        kind = codes.concept("Medical record number", codes.coding(f"{codes.TERMINOLOGY}/v2-0203", "MR"))
        issuer = source_value(context, "IssuerOfPatientID")
        assigner = {"assigner": {"display": issuer}} if issuer else {}
        identifiers.append({"type": kind, "value": number, **assigner})
    return context.resource("Patient", identifier=identifiers)


def devices(context: Context) -> Iterator[Resource]:
    """Yield SpineScribe and each of its models by checksum."""
    made = context.made
    yield _device(
        context,
        "spinescribe",
        "SpineScribe",
        codes.SHA256,
        str(made["config_hash"]),
        version=[{"value": str(made["spinescribe"])}],
        note=[{"text": f"rule {name}: {value}"} for name, value in sorted(made["rules"].items())],
    )
    for name, checksum in sorted(made["models"].items()):
        parent = context.reference("Device", "spinescribe")
        shown = f"SpineScribe model {name}"
        yield _device(context, f"model/{name}", shown, codes.SHA256, str(checksum), parent=parent)


def _device(context: Context, key: str, name: str, system: str, value: str, **more: object) -> Resource:
    kind = codes.concept("software that computes findings", _AI)
    named = (
        {"name": [{"value": name, "type": "user-friendly-name"}], "type": [kind]}
        if context.is_r5
        else {"deviceName": [{"name": name, "type": "user-friendly-name"}], "type": kind}
    )
    identifier = [{"system": system, "value": value}]
    return context.resource("Device", key, identifier=identifier, manufacturer="SpineScribe", **named, **more)


def practitioners(context: Context) -> list[Resource]:
    """Return the readers, by the names that stand under the report."""
    outgoing = context.package.outgoing
    names = [line.by for line in outgoing.decisions]
    names += [] if outgoing.signature is None else [outgoing.signature.name]
    return [
        context.resource("Practitioner", name, name=[{"text": plain(name)}])
        for name in dict.fromkeys(names)
        if name.strip()
    ]


def signer(context: Context) -> list[Resource]:
    """Return who signed; nothing while nobody did."""
    signature = context.package.outgoing.signature
    if signature is None or not signature.name.strip():
        return []
    return [context.reference("Practitioner", signature.name)]


def deciders(context: Context, finding_id: str) -> list[Resource]:
    """Return the readers who decided on a finding."""
    lines = context.package.outgoing.decisions
    names = dict.fromkeys(line.by for line in lines if line.finding_id == finding_id and line.by.strip())
    return [context.reference("Practitioner", name) for name in names]


def is_graded_by_reader(context: Context, finding_id: str) -> bool:
    """Return whether a reader put another grade in the place of the machine's."""
    lines = context.package.outgoing.decisions
    return any(line.finding_id == finding_id and line.verdict.startswith("edit") for line in lines)


def provenances(context: Context) -> Iterator[Resource]:
    """Yield who signed the report, and who decided what of its findings, and when."""
    outgoing = context.package.outgoing
    if outgoing.signature is not None:
        agents = [
            *(_agent(_AUTHOR, who) for who in signer(context)),
            _agent(_ASSEMBLER, context.reference("Device", "spinescribe")),
        ]
        yield context.resource(
            "Provenance",
            "signature",
            target=[context.reference("DiagnosticReport")],
            recorded=instant(outgoing.signature.at),
            activity=codes.concept("signed", codes.coding(codes.KIND, "sign")),
            agent=agents,
            entity=[{"role": "source", "what": context.reference("ImagingStudy")}],
        )
    for line in outgoing.decisions:
        if line.by.strip() and line.finding_id in context.finding_ids:
            yield context.resource(
                "Provenance",
                f"decision/{line.finding_id}",
                target=context.findings([line.finding_id]),
                recorded=instant(datetime.fromisoformat(line.at).replace(tzinfo=UTC)),
                activity=codes.concept(plain(line.verdict), codes.coding(codes.KIND, "decide")),
                agent=[_agent(_VERIFIER, context.reference("Practitioner", line.by))],
            )


def _agent(kind: str, who: Resource) -> Resource:
    system = f"{codes.TERMINOLOGY}/provenance-participant-type"
    return {"type": codes.concept(kind, codes.coding(system, kind)), "who": who}


def instant(at: datetime) -> str:
    """Return a time as a FHIR instant, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
