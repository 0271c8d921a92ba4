"""`python -m grok_app COMMAND`: what there is to do beside serving, which `app.py` does."""

import sys

from grok_app.address_space import check_address_space
from grok_app.errors import SettingsError


def main() -> int:
    """Runs the command that was asked for; the exit status is 2 where it could not be done."""
    try:
        check_address_space()
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    from grok_app.cli.main import main as run  # imports JAX

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
