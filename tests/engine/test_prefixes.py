"""What of a prompt is cached is not prefilled again, and nothing counts as cached that is not."""

from hypothesis import given, settings
from hypothesis import strategies as st

from grok_app.engine.prefixes import SHORTEST, Prefixes

PREAMBLE = list(range(SHORTEST))


def talk(number: int, length: int = 30) -> list[int]:
    return [*PREAMBLE, *[1000 + number] * length]


def serve(prefixes: Prefixes, prompt: list[int], free: list[int]):
    admission = prefixes.admit(prompt, free)
    prefixes.grow(admission.slot, prompt[admission.cached :])
    return admission


def test_a_new_prompt_is_not_cached() -> None:
    admission = Prefixes(2, 0).admit(talk(1), [0, 1])
    assert (admission.cached, admission.copies) == (0, ())


def test_the_last_token_is_always_computed() -> None:
    prefixes = Prefixes(1, 0)
    serve(prefixes, talk(1), [0])
    assert prefixes.admit(talk(1), [0]).cached == len(talk(1)) - 1


def test_a_preamble_is_copied_from_whoever_has_it() -> None:
    prefixes = Prefixes(2, 0)
    first = serve(prefixes, talk(1), [0, 1])
    (other,) = {0, 1} - {first.slot}
    admission = serve(prefixes, talk(2), [other])
    assert admission.cached == SHORTEST
    assert admission.copies == ((first.slot, other),)


def test_a_beginning_too_short_is_not_copied() -> None:
    prefixes = Prefixes(2, 0)
    serve(prefixes, PREAMBLE[:-1] + [1] * 9, [0])
    assert prefixes.admit(PREAMBLE[:-1] + [2] * 9, [1]).cached == 0


def test_the_slot_longest_unused_is_taken_and_what_it_held_is_saved() -> None:
    prefixes = Prefixes(2, 1)
    serve(prefixes, talk(1), [0])
    serve(prefixes, [7] * 40, [1])
    admission = serve(prefixes, [8] * 40, [0, 1])
    assert admission.slot == 0
    assert admission.copies == ((0, 2),)
    back = serve(prefixes, [*talk(1), 5], [1])
    assert back.cached == len(talk(1))
    assert back.copies == ((2, 1),)  # to save what slot 1 held, row 2 would have to be lost


def test_conversations_that_take_turns_are_all_kept() -> None:
    """As many as there are slots and saving rows, but one: a copy out of a saver frees it."""
    prefixes = Prefixes(4, 4)
    talks = [[100 + i] * 40 for i in range(7)]
    for turn in range(5):
        for talk in talks:
            cached = serve(prefixes, talk, [0, 1, 2, 3]).cached
            assert cached >= (len(talk) - 1 if turn == 0 else len(talk) - 3) or turn == 0
            talk += [turn, turn]


def test_the_beginning_of_a_long_conversation_does_not_destroy_it() -> None:
    prefixes = Prefixes(2, 0)
    long = [*range(600)]
    serve(prefixes, long, [0, 1])
    serve(prefixes, long[:60], [0, 1])
    assert prefixes.admit([*long, 7], [0, 1]).cached == 600


def test_what_is_held_elsewhere_is_not_saved_twice() -> None:
    prefixes = Prefixes(2, 2)
    serve(prefixes, talk(1), [0])
    serve(prefixes, [*talk(1), 5, 6], [1])
    assert serve(prefixes, [9] * 40, [0]).copies == ()


@given(st.lists(st.lists(st.integers(0, 1), max_size=4), min_size=1, max_size=8))
@settings(max_examples=300)
def test_what_is_held_elsewhere_is_found_as_by_looking_at_all_pairs(rows: list[list[int]]) -> None:
    prefixes = Prefixes(len(rows), 0)
    for slot, tokens in enumerate(rows):
        prefixes.grow(slot, [token * 2**30 + 257 for token in tokens])  # of several bytes
    assert prefixes._held_elsewhere() == {
        row
        for row, tokens in enumerate(rows)
        if any(other[: len(tokens)] == tokens for i, other in enumerate(rows) if i != row)
    }


# A model of the cache: rows of tokens, on which admissions act as the device would.
@given(data=st.data(), slots=st.integers(1, 3), saved=st.integers(0, 3))
@settings(max_examples=200)
def test_what_counts_as_cached_is_there(data: st.DataObject, slots: int, saved: int) -> None:
    prefixes = Prefixes(slots, saved)
    cache: list[list[int]] = [[] for _ in range(slots + saved)]
    heads = [PREAMBLE, PREAMBLE[::-1], []]
    for _ in range(data.draw(st.integers(1, 12))):
        tail = data.draw(st.lists(st.integers(0, 1), min_size=1, max_size=40))
        prompt = data.draw(st.sampled_from(heads)) + tail
        free = data.draw(st.lists(st.integers(0, slots - 1), min_size=1, unique=True))
        admission = prefixes.admit(prompt, free)
        assert admission.slot in free
        for source, target in admission.copies:
            assert target == admission.slot or target >= slots  # nobody else is disturbed
            cache[target] = list(cache[source])
        assert admission.cached < len(prompt)
        assert cache[admission.slot][: admission.cached] == prompt[: admission.cached]
        fed = data.draw(st.integers(admission.cached, len(prompt)))  # it may be cancelled
        cache[admission.slot][admission.cached :] = prompt[admission.cached : fed]
        prefixes.grow(admission.slot, prompt[admission.cached : fed])
