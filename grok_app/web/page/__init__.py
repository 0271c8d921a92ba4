"""What is seen: a Gradio page, each tab a layout and a session that needs no browser."""
