"""The research screens on one page of tabs. Widgets only: no medicine, no tensors, no file parsing."""

from __future__ import annotations

import gradio as gr

from service.screens.corrections_tab import build_corrections_tab
from service.screens.evaluate_tab import build_evaluate_tab
from service.screens.picture_tab import build_picture_tab
from service.services import Services

TITLE = "SpineScribe research"


def build_research_screen(services: Services) -> gr.Blocks:
    """Lay out the page and connect it to the service."""
    screen: gr.Blocks
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600)) as screen:
        gr.HTML(
            '<header class="head"><h1>Research</h1>'
            '<nav aria-label="SpineScribe"><a href="/" target="_top">Worklist</a></nav></header>'
        )
        with gr.Tabs():
            with gr.Tab("Evaluate"):
                build_evaluate_tab(services, screen)
            with gr.Tab("Corrections"):
                build_corrections_tab(services)
            with gr.Tab("Try a picture"):
                build_picture_tab(services)
    return screen
