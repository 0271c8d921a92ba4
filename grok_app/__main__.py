"""`python -m grok_app COMMAND`: what can be done with a model besides serving it."""

from __future__ import annotations

import argparse
import sys

from grok_app.errors import GrokError
from grok_app.evaluation import command as evaluation


def main() -> int:
    """Runs a command; the exit status is 0 then, and 2 where it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m grok_app", description=__doc__)
    commands = parser.add_subparsers(required=True)
    evaluate = commands.add_parser("eval", help="measure how good the model is")
    evaluation.add_arguments(evaluate)
    evaluate.set_defaults(run=evaluation.run)
    options = parser.parse_args()
    try:
        options.run(options)
    except GrokError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
