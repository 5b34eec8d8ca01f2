"""Others are let in: the chat, HTTP endpoints and tools in one application, and who may use it."""
