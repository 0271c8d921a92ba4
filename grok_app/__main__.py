"""`python -m grok_app COMMAND`: what there is to do beside serving, which `app.py` does."""

import sys

from grok_app.cli.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
