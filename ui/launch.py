"""The server of a page: where it listens, what it may do, and how it looks."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import processing_utils
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
    page.launch(
        server_name=f"[{host}]" if ":" in host else host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        inline=False,
        share=False,
        strict_cors=True,
        app_kwargs={"middleware": [Middleware(LocalOnly)]},
        **settings(),
    )
    return str(page.local_url)


def confine() -> None:
    """Keeps Gradio from what nobody here wants; before a page is made.

    What browsers send it would put into a folder of all users, /tmp/gradio. Any input may be given
    the address of a file, which it would fetch, in this machine's name. And after each event it
    would sum up the last ten thousand, for a page that is never shown.
    """
    if not os.environ.get("GRADIO_TEMP_DIR"):
        folder = tempfile.mkdtemp(prefix="footnote-page-")  # which nobody else may read
        os.environ["GRADIO_TEMP_DIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1000000000"  # events
    processing_utils.async_ssrf_protected_download = _fetched_from_nowhere


async def _fetched_from_nowhere(url: str, cache_dir: str) -> str:
    raise gr.Error("Footnote fetches no file from elsewhere.", print_exception=False)


def settings() -> dict[str, Any]:
    """What every server of a page is told: what it may not do, and how the page looks."""
    script = Path(__file__).with_name("page.js").read_text(encoding="utf-8")
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    return {
        "ssr_mode": False,
        "enable_monitoring": False,
        "run_history": False,
        "allowed_paths": [],
        "max_file_size": MAX_BYTES,
        "footer_links": [],
        "theme": gr.themes.Base(
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
        "css_paths": Path(__file__).with_name("page.css"),
        "head": f"<script>{script}</script>",
    }
