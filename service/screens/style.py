"""Looks of the screens: system fonts (nothing is fetched), dark as in reading rooms."""

from pathlib import Path

import gradio as gr

CSS_FILE = Path(__file__).parent / "style.css"

DARK_MODE_JS = "() => { document.body.classList.add('dark'); }"


def build_theme() -> gr.themes.Base:
    """Return the theme."""
    return gr.themes.Base(
        primary_hue="teal",
        neutral_hue="slate",
        font=["system-ui", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "Consolas", "monospace"],
        radius_size="sm",
        spacing_size="sm",
    )
