"""Contrasts as a person writes them."""

import pytest

from doxa.experiments.expressions import parse_sum


def test_a_difference_and_an_interaction() -> None:
    assert parse_sum("msm - none") == {"msm": 1, "none": -1}
    assert parse_sum("(msm_aft - aft) - (msm - none)") == {"msm_aft": 1, "aft": -1, "msm": -1, "none": 1}
    assert parse_sum("-a + (b - (c - d)) - (e - f) - d + a - b + e + c - f + (x - y)") == {"x": 1, "y": -1}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("msm", "as many arms as it takes away"),
        ("a + b - c", "as many arms as it takes away"),
        ("a - a", "as many arms as it takes away"),
        ("", "an arm is missing at the end"),
        ("a -", "an arm is missing at the end"),
        ("a - - b", "an arm is missing before '-'"),
        ("a b", r"\+ or - is missing before 'b'"),
        ("(a - b", "a parenthesis is not closed"),
        ("a - b)", "closes what nothing opened"),
        ("a * b", "is neither an arm"),
    ],
)
def test_what_is_no_contrast_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_sum(text)
