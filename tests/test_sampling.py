"""The bounds of sampling settings, which the engine, personas, the API and the page share."""

from dataclasses import fields

import pytest

from grok_app.api.schemas import MOST_STOPS as MOST_STOPS_OF_THE_API
from grok_app.engine.request import SamplingParams
from grok_app.errors import RequestError
from grok_app.sampling import BOUNDS, MOST_STOPS, Sampling
from grok_app.web.page.chat.controls import SLIDERS


@pytest.mark.parametrize("name", BOUNDS)
def test_a_setting_may_be_what_its_bounds_say_and_nothing_else(name: str) -> None:
    bound = BOUNDS[name]
    for right in (bound.least, bound.most):
        SamplingParams(**{name: right})  # type: ignore[arg-type]
    unit = 1 if bound.whole else 0.001
    for wrong in (bound.least - unit, bound.most + unit, float("nan"), True, "1", [1]):
        with pytest.raises(RequestError) as caught:
            SamplingParams(**{name: wrong})  # type: ignore[arg-type]
        error = caught.value
        assert error.field == name
        assert error.values == {"given": wrong, "least": bound.least, "most": bound.most}
        assert str(error).startswith(f"{name} is {wrong!r}; expected a")


def test_whole_settings_are_not_fractions() -> None:
    for name in (name for name, bound in BOUNDS.items() if bound.whole):
        with pytest.raises(RequestError, match="a whole number"):
            SamplingParams(**{name: 1.5})  # type: ignore[arg-type]


def test_the_page_offers_a_part_of_what_is_allowed() -> None:
    assert list(SLIDERS) == [field.name for field in fields(Sampling)]
    for name, (_, _, least, most, _) in SLIDERS.items():
        assert BOUNDS[name].least <= least < most <= BOUNDS[name].most


def test_a_program_may_give_fewer_stop_strings_than_the_engine_takes() -> None:
    longest = 16 + 2  # those of a visitor's persona and its labels
    assert MOST_STOPS_OF_THE_API + longest <= MOST_STOPS
