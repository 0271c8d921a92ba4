"""Finds Chromium for the browser tests; run as a program, installs it where it can."""

import os
import platform
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = (
    "Chromium was not found. Install it so that one of these is in PATH: "
    f"{', '.join(NAMES)} (Debian: apt-get install chromium)"
)


def find() -> str | None:
    """Path of a Chromium on this machine."""
    return next(filter(None, map(shutil.which, NAMES)), None)


def required() -> bool:
    """Whether browser tests must run: CI=true promises that nothing is skipped."""
    return os.environ.get("CI", "").lower() == "true"


def install() -> None:
    """Install Debian's own package; needs Debian and root."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "chromium"]):
        subprocess.run(["apt-get", "-qq", *command], env=environment, check=True)


def main() -> int:
    """Exit status 1 where tests that must run could not."""
    if find():
        return 0
    if _is_debian() and os.geteuid() == 0:
        print("Installing Debian's Chromium for the browser tests ...", flush=True)
        try:
            install()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"Chromium could not be installed: {error}", file=sys.stderr)
        else:
            return 0
    print(MISSING, file=sys.stderr)
    return 1 if required() else 0


def _is_debian() -> bool:
    try:
        return platform.freedesktop_os_release()["ID"] == "debian"
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
