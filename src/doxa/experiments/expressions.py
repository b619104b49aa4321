"""Contrasts as a person writes them: sums and differences of arms, `(a_aft - aft) - (a - none)`."""

from __future__ import annotations

import re

Sum = dict[str, int]  # arm -> weight

_TOKEN = re.compile(r"\s*([a-z][a-z0-9_]*|[-+()])")


def parse_sum(text: str) -> Sum:
    """Arm -> how often it is added (or, below 0, taken away). Raises ValueError that says what does not fit.

    Weights must add up to 0: what is no comparison between arms is a mean, and stands in the table of arms.
    """
    tokens = _tokens(text)
    weights: Sum = {}
    rest = _sum(tokens, 1, weights)
    if rest:
        raise ValueError(f"{text!r}: {rest[0]!r} closes what nothing opened")
    weights = {arm: weight for arm, weight in weights.items() if weight}
    if not weights or sum(w for w in weights.values()) != 0:
        raise ValueError(f"{text!r}: must add as many arms as it takes away")
    return weights


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"{text!r}: {text[at:].strip()[:12]!r} is neither an arm, +, - nor a parenthesis")
        tokens.append(found.group(1))
        at = found.end()
    return tokens


def _sum(tokens: list[str], sign: int, weights: Sum) -> list[str]:
    """Read terms up to a closing parenthesis or the end; returns what is left."""
    factor, wanted, first = 1, True, True  # `wanted`: a term must come next
    while tokens and tokens[0] != ")":
        token, *tokens = tokens
        if token in "+-":
            if wanted and not (first and token == "-"):
                raise ValueError(f"an arm is missing before {token!r}")
            factor, wanted = (1 if token == "+" else -1), True
        elif not wanted:
            raise ValueError(f"+ or - is missing before {token!r}")
        elif token == "(":
            tokens = _sum(tokens, sign * factor, weights)
            if not tokens:
                raise ValueError("a parenthesis is not closed")
            tokens, wanted = tokens[1:], False
        else:
            weights[token] = weights.get(token, 0) + sign * factor
            wanted = False
        first = False
    if wanted:
        raise ValueError("an arm is missing at the end of a sum")
    return tokens
