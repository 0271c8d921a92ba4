"""The page's JavaScript: the ES modules in `js/`, how they are served, and how they are begun."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI, Request, Response

_FILES = sorted((Path(__file__).parent.parent / "js").glob("*.js"))
# Relative, for the page may be served below a proxy's path.
HEAD = "".join(f'<link rel="modulepreload" href="js/{path.name}">' for path in _FILES) + (
    '<script type="module" src="js/page.js"></script>'
)
"""For the page's head: all modules are fetched at once, and the one of the whole page begins."""

_BEGIN = (
    'import(new URL("js/{module}.js", document.baseURI))'
    ".then(module => module.default({{element, props, trigger, watch, server}}))"
    ".catch(error => element.prepend(`${{error}}. Reload the page.`))"
)


def scripted(module: str, template: str, **options: Any) -> gr.HTML:
    """A gr.HTML of a fixed `template`, run by the default export of `js/{module}.js`.

    The module is given `element, props, trigger, watch, server` as Gradio's guide to `js_on_load`
    describes them. It may arrive after the server has set the first value: it looks at
    `props.value` when it begins. `options` are those of `gr.HTML`.
    """
    begin = _BEGIN.format(module=module)
    return gr.HTML(**{"value": "", "html_template": template, "js_on_load": begin, **options})


def add_scripts(app: FastAPI) -> None:
    """Serves `/js/NAME.js`, and nothing else of the folder, to everybody: the code is public.

    A browser asks each time whether it has changed, so that an upgrade is seen at once.
    """
    contents = {path.name: path.read_bytes() for path in _FILES}
    tags = {name: f'"{sha256(content).hexdigest()[:32]}"' for name, content in contents.items()}

    @app.get("/js/{name}")
    def script(name: str, request: Request) -> Response:
        if name not in contents:
            return Response("Not found.", 404, media_type="text/plain")
        headers = {"ETag": tags[name], "Cache-Control": "no-cache"}
        if tags[name] in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        return Response(contents[name], headers=headers, media_type="text/javascript")
