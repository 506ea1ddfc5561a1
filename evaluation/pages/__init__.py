"""The pages of an evaluation: metrics.json, tables, plots, Markdown, HTML and a section of a model card."""

from evaluation.pages.write import write_pages

__all__ = ["write_pages"]
