"""The chat page. Whichever of its modules comes first, Gradio is told to send nothing."""

import os

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # Gradio reads it while it is imported
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
