import re
import subprocess
import sys
from pathlib import Path

import pytest

from grok_app.errors import SettingsError
from grok_app.options import EngineOptions
from grok_app.settings import Settings, options, parse
from tests.app_process import ROOT

# An option on the command line, its variable, and the value that both must give.
GIVEN = [
    (["--host", "0.0.0.0"], {"GROK_HOST": "0.0.0.0"}, "host", "0.0.0.0"),
    (["--port", "8000"], {"GROK_PORT": "8000"}, "port", 8000),
    (["--share"], {"GROK_SHARE": "1"}, "share", True),
    (["--no-share"], {"GROK_SHARE": "No"}, "share", False),
    (
        ["--auth", "ann:tea", "--auth", "bob:a:b"],
        {"GROK_AUTH": "ann:tea,bob:a:b"},
        "auth",
        (("ann", "tea"), ("bob", "a:b")),
    ),
    (["--api-key", "a", "--api-key", "b"], {"GROK_API_KEY": "a,b"}, "api_key", ("a", "b")),
    (["--api-key-file", "keys"], {"GROK_API_KEY_FILE": "keys"}, "api_key_file", Path("keys")),
    (
        ["--api-origin", "https://a.org", "--api-origin", "http://b:1"],
        {"GROK_API_ORIGIN": "https://a.org,http://b:1"},
        "api_origin",
        ("https://a.org", "http://b:1"),
    ),
    (["--demo"], {"GROK_DEMO": "1"}, "demo", True),
    (["--demo-messages", "3"], {"GROK_DEMO_MESSAGES": "3"}, "demo_messages", 3),
    (["--demo-tokens", "64"], {"GROK_DEMO_TOKENS": "64"}, "demo_tokens", 64),
    (["--linger", "5"], {"GROK_LINGER": "5"}, "linger", 5),
    (["--drain", "0"], {"GROK_DRAIN": "0"}, "drain", 0),
    (
        ["--proxy", "127.0.0.1", "--proxy", "10.0.0.0/8"],
        {"GROK_PROXY": "127.0.0.1,10.0.0.0/8"},
        "proxy",
        ("127.0.0.1", "10.0.0.0/8"),
    ),
    (
        ["--allow-host", "a.org", "--allow-host", "b"],
        {"GROK_ALLOW_HOST": "a.org,b"},
        "allow_host",
        ("a.org", "b"),
    ),
    (["--api-max-body", "8"], {"GROK_API_MAX_BODY": "8"}, "api_max_body", 8),
    (["--checkpoint", "grok-1"], {"GROK_CHECKPOINT": "grok-1"}, "checkpoint", Path("grok-1")),
    (["--slots", "2"], {"GROK_SLOTS": "2"}, "slots", 2),
    (["--context", "4096"], {"GROK_CONTEXT": "4096"}, "context", 4096),
    (["--persona-dir", "mine"], {"GROK_PERSONA_DIR": "mine"}, "persona_dir", Path("mine")),
    (["--queue", "3"], {"GROK_QUEUE": "3"}, "queue", 3),
    (["--mesh", "2,4"], {"GROK_MESH": "2,4"}, "mesh", (2, 4)),
    (["--dtype", "bfloat16"], {"GROK_DTYPE": "bfloat16"}, "dtype", "bfloat16"),
    (["--saved", "0"], {"GROK_SAVED": "0"}, "saved", 0),
    (["--kernels", "xla"], {"GROK_KERNELS": "xla"}, "kernels", "xla"),
    (
        ["--coordinator", "host:9000", "--processes", "2"],
        {"GROK_COORDINATOR": "host:9000", "GROK_PROCESSES": "2"},
        "coordinator",
        "host:9000",
    ),
    (
        ["--coordinator", "host:9000", "--processes", "2"],
        {"GROK_COORDINATOR": "host:9000", "GROK_PROCESSES": "2"},
        "processes",
        2,
    ),
    (
        ["--coordinator", "host:9000", "--processes", "2", "--process-id", "1"],
        {"GROK_COORDINATOR": "host:9000", "GROK_PROCESSES": "2", "GROK_PROCESS_ID": "1"},
        "process_id",
        1,
    ),
]

# What is wrong, and what the error must name: where it stood, what was expected.
WRONG = [
    (["--port", "http"], {}, ["--port", "1 to 65535", "'http'"]),
    (["--port", "0"], {}, ["--port", "1 to 65535", "'0'"]),
    (["--port", "70000"], {}, ["--port", "1 to 65535", "'70000'"]),
    (["--slots", "0"], {}, ["--slots", "1 to 256"]),
    (["--context", "1.5"], {}, ["--context", "whole number"]),
    (["--queue", "-1"], {}, ["--queue", "1 to"]),
    (["--linger", "4"], {}, ["--linger", "5 to 3600"]),
    (["--host", ""], {}, ["--host", "IP address"]),
    (["--checkpoint", " "], {}, ["--checkpoint", "folder"]),
    (["--proxy", "example.org"], {}, ["--proxy", "IP address", "'example.org'"]),
    (["--allow-host", "a.org:80"], {}, ["--allow-host", "without a port", "'a.org:80'"]),
    (["--mesh", "8"], {}, ["--mesh", "1,8", "'8'"]),
    (["--mesh", "0,8"], {}, ["--mesh", "above 0"]),
    (["--mesh", "1,2,3"], {}, ["--mesh", "two whole numbers"]),
    (["--dtype", "float16"], {}, ["--dtype", "float32 or bfloat16", "'float16'"]),
    (["--coordinator", "host"], {}, ["--coordinator", "10.0.0.1:9000"]),
    (["--coordinator", "host:65535"], {}, ["--coordinator", "below 65535"]),
    (["--coordinator", "host:9000"], {}, ["--processes", "belong together"]),
    (["--processes", "2"], {}, ["--coordinator", "belong together"]),
    (["--process-id", "1"], {}, ["--process-id 1", "--processes 1", "expected 0"]),
    (["--auth", "ann"], {}, ["--auth", "a colon"]),
    (["--auth", "ann:a", "--auth", "ann:b"], {}, ["--auth", "ann", "twice"]),
    (["--api-key", "a b"], {}, ["--api-key", "letters and signs"]),
    (["--api-origin", "a.org"], {}, ["--api-origin", "https://example.org", "'a.org'"]),
    (["--api-max-body", "0"], {}, ["--api-max-body", "1 to 1024"]),
    (["--port"], {}, ["--port", "expected one argument"]),
    (["--prot", "1"], {}, ["--prot", "--help"]),
    (["--chec", "x"], {}, ["--chec", "--help"]),
    (["assets/nano"], {}, ["assets/nano", "--help"]),
    ([], {"GROK_PORT": "http"}, ["GROK_PORT", "1 to 65535", "'http'"]),
    ([], {"GROK_SHARE": "maybe"}, ["GROK_SHARE", "yes", "'maybe'"]),
    ([], {"GROK_AUTH": "ann:tea,"}, ["GROK_AUTH", "a colon"]),
]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [([], 60), (["--demo"], 15), (["--linger", "5"], 5), (["--demo", "--linger", "90"], 90)],
    ids=str,
)
def test_how_long_a_reply_goes_on_without_a_reader(given: list[str], seconds: int) -> None:
    assert parse(given, {}).lingering == seconds


def test_nothing_given_is_the_documented_default() -> None:
    settings = parse([], {})
    assert settings == Settings()
    assert (settings.host, settings.port, settings.slots) == ("127.0.0.1", 7860, 8)
    assert settings.checkpoint == ROOT / "assets/nano"
    assert settings.persona_dir == ROOT / "prompts"
    assert not settings.share


@pytest.mark.parametrize(("arguments", "environment", "name", "value"), GIVEN)
def test_every_option_on_the_command_line_and_in_the_environment(
    arguments: list[str], environment: dict[str, str], name: str, value: object
) -> None:
    assert getattr(parse(arguments, {}), name) == value
    assert getattr(parse([], environment), name) == value


def test_no_option_is_left_out_of_this_test() -> None:
    assert {name for _, _, name, _ in GIVEN} == {option.name for option in options()}


def test_the_command_line_wins_over_the_environment() -> None:
    settings = parse(["--port", "8001", "--no-share"], {"GROK_PORT": "8000", "GROK_SHARE": "1"})
    assert (settings.port, settings.share) == (8001, False)


def test_an_empty_variable_is_none() -> None:
    assert parse([], {"GROK_PORT": "", "GROK_AUTH": ""}) == Settings()


@pytest.mark.parametrize(("arguments", "environment", "named"), WRONG)
def test_a_wrong_value_is_named_with_what_was_expected(
    arguments: list[str], environment: dict[str, str], named: list[str]
) -> None:
    with pytest.raises(SettingsError) as raised:
        parse(arguments, environment)
    for part in named:
        assert part in str(raised.value)


def test_a_password_is_never_shown() -> None:
    assert "tea-at-five" not in repr(parse(["--auth", "ann:tea-at-five"], {}))
    with pytest.raises(SettingsError) as raised:
        parse(["--auth", ":sesame"], {})
    assert "sesame" not in str(raised.value)


def test_a_key_is_never_shown() -> None:
    assert "sesame" not in repr(parse(["--api-key", "sesame"], {}))
    with pytest.raises(SettingsError) as raised:
        parse(["--api-key", "open sesame"], {})
    assert "sesame" not in str(raised.value)


def test_the_engine_is_given_all_options_that_are_its() -> None:
    assert parse([], {}).engine == EngineOptions()
    given = "--mesh 2,4 --dtype bfloat16 --slots 2 --context 128 --queue 3 --saved 0 --kernels xla"
    expected = EngineOptions((2, 4), "bfloat16", 2, 128, 3, 0, "xla")
    assert parse(given.split(), {}).engine == expected


def test_help_tells_every_option_its_default_and_its_variable(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"], {})
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for option in options():
        assert option.flag in shown
        assert option.described in shown
    assert "GROK_PORT" in shown


def test_the_readme_tells_the_same() -> None:
    rows = re.findall(r"^\| `(--[^`]+)` \| (.*) \|$", (ROOT / "README.md").read_text(), re.M)
    told = [
        (f"{option.flag} {option.kind.metavar}".strip(), option.described) for option in options()
    ]
    assert [(name.replace(r"\|", "|"), text) for name, text in rows] == told


def test_reading_settings_imports_neither_jax_nor_gradio() -> None:
    program = "import sys, grok_app.settings; sys.exit(str({'jax', 'gradio'} & set(sys.modules)))"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.stderr.strip() == "set()"
