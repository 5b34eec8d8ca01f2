"""The server of a page: where it listens, what it may do, and how it looks."""

import os
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from index.load import MAX_BYTES
from ui.local import HOSTS, LocalOnly


def launch(page: gr.Blocks, *, host: str, port: int) -> str:
    """Serve ``page`` from a thread of its own, and give its address; ``page.close()`` ends it.

    Raises OSError if the port is taken.
    """
    # Gradio calls its own page once; a proxy for the wide world must not be asked for it.
    for variable in ("NO_PROXY", "no_proxy"):
        os.environ[variable] = ",".join(filter(None, [os.environ.get(variable), *HOSTS]))
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    page.launch(
        server_name=f"[{host}]" if ":" in host else host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        inline=False,
        share=False,
        strict_cors=True,
        ssr_mode=False,
        enable_monitoring=False,
        run_history=False,
        allowed_paths=[],
        max_file_size=MAX_BYTES,
        footer_links=[],
        app_kwargs={"middleware": [Middleware(LocalOnly)]},
        theme=gr.themes.Base(
            primary_hue="teal",
            neutral_hue="stone",
            font=fonts,
            font_mono=["ui-monospace", "monospace"],
        ).set(
            button_primary_background_fill="*primary_700",
            button_primary_background_fill_dark="*primary_700",
            button_primary_background_fill_hover="*primary_800",
            button_primary_background_fill_hover_dark="*primary_600",
        ),
        css_paths=Path(__file__).with_name("page.css"),
        head=f"<script>{Path(__file__).with_name('page.js').read_text(encoding='utf-8')}</script>",
    )
    return str(page.local_url)
