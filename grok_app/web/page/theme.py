"""How the page looks: ink and paper, one restrained accent, the system's own fonts."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

CSS = sorted((Path(__file__).parent / "css").glob("*.css"))
"""What the theme's variables cannot say: of all the page, and of each tab."""


def theme() -> gr.themes.Base:
    """The theme, in light and dark."""
    sans = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
    return gr.themes.Base(
        primary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_lg,
        font=sans,
        font_mono=("ui-monospace", "SFMono-Regular", "Consolas", "monospace"),
    ).set(
        body_background_fill="#fbfbfd",
        body_background_fill_dark="#0b0e17",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#10141f",
        background_fill_secondary="#f3f4f8",
        background_fill_secondary_dark="#161b29",
        body_text_color_subdued="#566176",
        body_text_color_subdued_dark="#a3adc2",
        block_info_text_color="#566176",
        block_info_text_color_dark="#a3adc2",
        block_title_text_color="#3d4759",
        block_label_text_color="#3d4759",
        input_placeholder_color="#667085",
        input_placeholder_color_dark="#8b95ab",
        input_border_color="#cfd3e0",
        input_border_color_dark="#39435c",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        border_color_primary="#e3e5ee",
        border_color_primary_dark="#232a3d",
        color_accent_soft="#eceefc",
        color_accent_soft_dark="#232b4d",
        input_background_fill="#ffffff",
        input_background_fill_dark="#141927",
    )
