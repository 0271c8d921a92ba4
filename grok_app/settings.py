"""Every option of the app, once: its name, default, help and check.

A field of `Settings` is an option. `--persona-dir` on the command line, `GROK_PERSONA_DIR` in the
environment and `settings.persona_dir` in the program all follow from the field's name; where
both are given the command line wins.
"""

from __future__ import annotations

import argparse
import dataclasses
import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from grok_app.errors import SettingsError
from grok_app.options import DTYPES, KERNELS, EngineOptions

PROJECT = Path(__file__).parent.parent
LINGER, DEMO_LINGER = 60, 15  # seconds that a reply goes on without a reader, if nothing is given

ON = ("1", "true", "yes", "on")
OFF = ("0", "false", "no", "off")


@dataclass(frozen=True)
class Kind:
    """What the values of an option are.

    Attributes:
        metavar: how `--help` names a value.
        expected: what an error says was expected.
        read: text -> value; raises ValueError where the text is none.
        secret: whether an error must not repeat what was given.
        repeatable: whether the option may be given more than once; the value is a tuple then.
    """

    metavar: str
    expected: str
    read: Callable[[str], Any]
    secret: bool = False
    repeatable: bool = False


def whole_number(low: int, high: int) -> Kind:
    """A whole number from `low` to `high`."""

    def read(text: str) -> int:
        number = int(text)
        if not low <= number <= high:
            raise ValueError
        return number

    return Kind("N", f"a whole number from {low} to {high}", read)


def one_of(*words: str) -> Kind:
    """One of a few words."""
    return Kind("|".join(words), " or ".join(words), lambda text: words[words.index(text)])


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError
    return text


def _flag(text: str) -> bool:
    word = text.lower()
    if word not in ON + OFF:
        raise ValueError
    return word in ON


def _mesh(text: str) -> tuple[int, int]:
    data, model = (int(part) for part in text.split(","))
    if data < 1 or model < 1:
        raise ValueError
    return data, model


def _word(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError
    return _filled(text)


def _origin(text: str) -> str:
    if text != "*" and not re.fullmatch(r"https?://[^/\s]+", text):
        raise ValueError
    return text


def _host(text: str) -> str:
    if not re.fullmatch(r"[\w.-]+|[0-9A-Fa-f:.]+", text):
        raise ValueError
    return text


def _address(text: str) -> str:
    return str(ipaddress.ip_network(text)) if "/" in text else str(ipaddress.ip_address(text))


def _coordinator(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not 0 < int(port) < 65535:
        raise ValueError
    return f"{_filled(host)}:{port}"


def _login(text: str) -> tuple[str, str]:
    name, _, password = text.partition(":")
    return _filled(name), _filled(password)


FLAG = Kind("", "one of " + ", ".join(ON + OFF), _flag)
ADDRESS = Kind("ADDRESS", "a host name or an IP address, such as 127.0.0.1", _filled)
FOLDER = Kind("DIR", "a folder", lambda text: Path(_filled(text)).expanduser())
FILE = Kind("FILE", "a file", lambda text: Path(_filled(text)).expanduser())
KEY = Kind("KEY", "a key, of letters and signs", _word, secret=True, repeatable=True)
ORIGIN = Kind("ORIGIN", "an origin, such as https://example.org, or *", _origin, repeatable=True)
HOST = Kind("NAME", "a host name without a port, such as chat.example.org", _host, repeatable=True)
PROXY = Kind("ADDRESS", "an IP address or network, such as 10.0.0.0/8", _address, repeatable=True)
MESH = Kind("DATA,MODEL", "two whole numbers above 0, such as 1,8", _mesh)
COORDINATOR = Kind(
    "HOST:PORT", "a host and a port below 65535, such as 10.0.0.1:9000", _coordinator
)
LOGIN = Kind(
    "NAME:PASSWORD",
    "a name, a colon and a password, neither of them empty, such as ann:tea-at-five",
    _login,
    secret=True,
    repeatable=True,
)


def _field(default: Any, kind: Kind, help: str) -> Any:
    """A field of `Settings`: the option's default, what its values are, and its help."""
    return dataclasses.field(
        default=default, metadata={"kind": kind, "help": help}, repr=not kind.secret
    )


@dataclass(frozen=True)
class Settings:
    """What the app was asked to do. `parse` makes one from the command line and environment."""

    checkpoint: Path = _field(
        PROJECT / "assets/nano",
        FOLDER,
        "the model: a folder with ckpt-0/ and tokenizer.model in it",
    )
    host: str = _field(
        "127.0.0.1", ADDRESS, "address to serve on; 0.0.0.0 lets the whole network in"
    )
    port: int = _field(7860, whole_number(1, 65535), "port to serve on")
    share: bool = _field(
        False, FLAG, "make a public link through Gradio's share service; best with --auth"
    )
    auth: tuple[tuple[str, str], ...] = _field(
        (), LOGIN, "let in only those who log in so; give it once for each person"
    )
    demo: bool = _field(
        False, FLAG, "for a public link: limits for each visitor, and a notice of what this is"
    )
    demo_messages: int = _field(
        6, whole_number(1, 1000), "messages a minute that a visitor of a demo may send"
    )
    demo_tokens: int = _field(200, whole_number(1, 8192), "tokens that a reply of a demo may have")
    linger: int | None = _field(
        None,
        whole_number(5, 3600),
        "seconds that a reply goes on when its reader is gone, who may come back "
        f"(default: {LINGER}, in a demo {DEMO_LINGER})",
    )
    drain: int = _field(
        30,
        whole_number(0, 3600),
        "seconds that what is being answered may still take when the server is told to end",
    )
    proxy: tuple[str, ...] = _field(
        (),
        PROXY,
        "believe this proxy's X-Forwarded-For about who a visitor is; give it once for each",
    )
    allow_host: tuple[str, ...] = _field(
        (),
        HOST,
        "answer to this name, and to no others but the machine's own, which is how a server on "
        "loopback begins; give it once for each",
    )
    api_key: tuple[str, ...] = _field(
        (), KEY, "let in programs that send this key; give it once for each key"
    )
    api_key_file: Path | None = _field(None, FILE, "a file of such keys, one a line")
    api_origin: tuple[str, ...] = _field(
        (), ORIGIN, "let web pages from there use the API; give it once for each, * is all"
    )
    api_max_body: int = _field(4, whole_number(1, 1024), "MiB that a request to the API may have")
    persona_dir: Path = _field(PROJECT / "prompts", FOLDER, "folder of personas, a TOML file each")
    slots: int = _field(
        EngineOptions.slots, whole_number(1, 256), "conversations that are answered at once"
    )
    queue: int = _field(
        EngineOptions.queue,
        whole_number(1, 10_000),
        "requests that may wait when all slots are taken",
    )
    saved: int = _field(
        EngineOptions.saved,
        whole_number(0, 1024),
        "conversations beyond the slots that are kept ready for their next turn",
    )
    context: int | None = _field(
        None,
        whole_number(64, 1_048_576),
        "tokens one conversation may hold; less takes less memory (default: the model's)",
    )
    mesh: tuple[int, int] | None = _field(
        None,
        MESH,
        "how to divide the devices: over requests, over the model (default: all over the model)",
    )
    dtype: str | None = _field(
        None,
        one_of(*DTYPES),
        "precision to compute in (default: the better one for the device); "
        "keys and values are kept in 16 bits",
    )
    kernels: str = _field(
        EngineOptions.kernels,
        one_of(*KERNELS),
        "what computes: kernels of our own for the device, or XLA's form of them; auto takes "
        "ours where there are any (for a CPU they need a C++ compiler)",
    )
    coordinator: str | None = _field(
        None,
        COORDINATOR,
        "process 0 of several that serve one model together; it uses the next port too",
    )
    processes: int = _field(1, whole_number(1, 1024), "how many processes there are")
    process_id: int = _field(
        0, whole_number(0, 1023), "which of them this is; only process 0 serves the page"
    )

    @property
    def lingering(self) -> int:
        """Seconds that a reply goes on when its reader is gone."""
        if self.linger is not None:
            return self.linger
        return DEMO_LINGER if self.demo else LINGER

    @property
    def engine(self) -> EngineOptions:
        """Those of them that are the engine's."""
        names = [field.name for field in dataclasses.fields(EngineOptions)]
        return EngineOptions(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class Option:
    """One option, as `Settings` declares it."""

    name: str
    default: Any
    kind: Kind
    help: str

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Its name in the environment."""
        return "GROK_" + self.name.upper()

    @property
    def described(self) -> str:
        """Its help, and its default where the help does not tell it."""
        if self.default in (None, (), False):
            return self.help
        default = self.default
        if isinstance(default, Path):  # where the project lies is its user's to know
            default = default.relative_to(PROJECT)
        return f"{self.help} (default: {default})"

    def read(self, text: str, source: str) -> Any:
        """The value of `text`, or a SettingsError that names `source`, where the text stood."""
        try:
            return self.kind.read(text)
        except ValueError:
            given = "(not shown)" if self.kind.secret else repr(text)
            raise SettingsError(f"{source}: expected {self.kind.expected}; given {given}") from None

    def from_environment(self, text: str) -> Any:
        """The value of the option's variable; a repeatable one holds a comma between values."""
        if self.kind.repeatable:
            return tuple(self.read(part, self.variable) for part in text.split(","))
        return self.read(text, self.variable)

    def from_command_line(self, given: Any) -> Any:
        """The value of what argparse found: text, a list of texts, or a flag's truth."""
        if isinstance(given, bool):
            return given
        if isinstance(given, list):
            return tuple(self.read(text, self.flag) for text in given)
        return self.read(given, self.flag)


def options() -> list[Option]:
    """All options, in the order of `Settings`."""
    return [
        Option(field.name, field.default, field.metadata["kind"], field.metadata["help"])
        for field in dataclasses.fields(Settings)
    ]


class _Parser(argparse.ArgumentParser):
    """Leaves it to the app to say what is wrong with the command line."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message} (--help lists the options)")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="app.py",
        usage="%(prog)s [options]",
        description="Chat in the browser with a model of Grok-1's architecture.",
        epilog="Each option can be set in the environment too, as GROK_ and its name: "
        "GROK_PORT=8000 is --port 8000, GROK_SHARE=1 is --share, GROK_AUTH=ann:tea,bob:rum is "
        "--auth twice.",
        formatter_class=partial(argparse.HelpFormatter, max_help_position=28),
        allow_abbrev=False,
        argument_default=argparse.SUPPRESS,
    )
    for option in options():
        form: dict[str, Any] = {"metavar": option.kind.metavar}
        if option.kind is FLAG:
            form = {"action": argparse.BooleanOptionalAction}
        elif option.kind.repeatable:
            form["action"] = "append"
        parser.add_argument(option.flag, help=option.described, **form)
    return parser


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Settings:
    """The settings that the command line and the environment ask for.

    An empty variable counts as none. `--help` prints the options and exits, as argparse does.

    Raises:
        SettingsError: an unknown option, or a value that is none.
    """
    given = vars(_parser().parse_args(arguments))
    values = {}
    for option in options():
        if option.name in given:
            values[option.name] = option.from_command_line(given[option.name])
        elif text := environment.get(option.variable):
            values[option.name] = option.from_environment(text)
    settings = Settings(**values)
    _check_logins(settings.auth)
    _check_cluster(settings)
    return settings


def _check_cluster(settings: Settings) -> None:
    if settings.process_id >= settings.processes:
        last = settings.processes - 1
        raise SettingsError(
            f"--process-id {settings.process_id} with --processes {settings.processes}: expected "
            + (f"0 to {last}" if last else "0; --processes says how many there are together")
        )
    if (settings.processes > 1) != (settings.coordinator is not None):
        raise SettingsError(
            "--coordinator and --processes belong together: "
            f"given {settings.coordinator}, {settings.processes}"
        )


def _check_logins(logins: tuple[tuple[str, str], ...]) -> None:
    names = [name for name, _ in logins]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"--auth: {name} is given twice; give every name one password")
