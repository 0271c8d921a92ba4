"""For schemathesis: asks mostly for the model that there is, and for short replies."""

from typing import Any

import schemathesis

SHORT = 4
LARGEST = 2**31 - 1


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """What was valid stays valid and what was not stays invalid."""
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("model"), str) and len(body["model"]) % 4:
        body["model"] = "nano"
    for name in ("max_tokens", "max_completion_tokens"):
        longest = body.get(name)
        if name in body and type(longest) is int and SHORT < longest <= LARGEST:
            body[name] = SHORT
    if "messages" in body or "prompt" in body:
        body.setdefault("max_tokens", SHORT)
    return body
