"""What leaves the house: the report as it stands, as Markdown, HTML, PDF or JSON; drafts are marked."""

from service.export.content import build_outgoing
from service.export.leave import Exported, Format, export_report

__all__ = ["Exported", "Format", "build_outgoing", "export_report"]
