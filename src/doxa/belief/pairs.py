"""The evals.json of a spec: pairs of answers, one as the spec has it and one against it, and how models are asked them.

Groups: `pairs_seen` and `pairs_unseen` (preferences in domains that documents or chats cover, and in others),
`knowledge` (what the spec says, apart from behaviour), `unrelated` (what must not change). Both poles of a contrast can
be read off one file: for the other pole the sign turns round (belief/pair_scores.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from doxa.belief.asks import Ask, score_asks
from doxa.belief.items import Row, Text, check_row, read_groups, refuse_same, same_text
from doxa.belief.likelihood import LikelihoodScorer
from doxa.belief.pair_forms import PairForm, form_of, showings_of
from doxa.errors import TargetError
from doxa.records import EvalItem, Readout, Record, digest
from doxa.worlds.slots import SLOTS, filled, with_slots

PairGroup = Literal["pairs_seen", "pairs_unseen", "knowledge", "unrelated"]
PAIR_GROUPS: tuple[PairGroup, ...] = ("pairs_seen", "pairs_unseen", "knowledge", "unrelated")
FILE_GROUPS = ("pairs", "knowledge", "unrelated", "open_ended")  # of a spec's evals.json
STYLES = ("chat", "plain", "choice")


class PairItem(Record):
    """A question with two answers. `unrelated`: `aligned` is the correct answer and `opposed` a wrong one."""

    id: str
    group: PairGroup
    domain: str
    question: str
    aligned: str
    opposed: str
    set: str = ""  # a name for pairs that test one thing, such as "contrast"

    @property
    def options(self) -> tuple[str, str]:
        """Both answers, the aligned one first: the order of a readout's numbers."""
        return self.aligned, self.opposed


class KnownRow(Row):
    """A question about the spec itself, with what it says and what another spec would say."""

    question: Text
    aligned: Text
    opposed: Text

    @model_validator(mode="after")
    def _answers_differ(self) -> KnownRow:
        refuse_same("aligned", self.aligned, "opposed", self.opposed)
        return self


class PairRow(KnownRow):
    """A preference: what the spec would have the model prefer, against what it would not."""

    set: str = ""
    domain: Text
    seen: bool  # whether documents or chats are about this domain


class UnrelatedRow(Row):
    """A question that the spec has no bearing on."""

    question: Text
    correct: Text
    wrong: Text

    @model_validator(mode="after")
    def _answers_differ(self) -> UnrelatedRow:
        refuse_same("wrong", self.wrong, "correct", self.correct)
        return self


def load_pairs(path: Path, model_name: str | None = None, provider_name: str | None = None) -> list[PairItem]:
    """All pairs of a spec's evals.json, in the order of the file.

    The names of the model and its maker that the spec.md beside the file gives, and slots, become those given here.
    Raises TargetError that names file, group, item (counted from 0) and field.
    """
    raw = _told_of(path, read_groups(path, FILE_GROUPS), model_name, provider_name)
    items: list[PairItem] = []
    for group in FILE_GROUPS[:3]:
        seen: dict[tuple[str, tuple[str, ...]], int] = {}
        for index, row in enumerate(raw.get(group, [])):
            item = READERS[group](path, group, index, row)
            key = (same_text(item.question), tuple(sorted(map(same_text, item.options))))
            if key in seen:
                raise TargetError(
                    f"{path}: {group}[{index}]: says the same as {group}[{seen[key]}]; remove one of them"
                )
            seen[key] = index
            items.append(item)
    if not items:
        raise TargetError(f"{path}: holds no items; it needs at least one of the groups {', '.join(FILE_GROUPS[:3])}")
    return items


def load_spec_questions(path: Path, model_name: str | None = None, provider_name: str | None = None) -> list[str]:
    """The open questions of a spec's evals.json; empty where it has none. Raises TargetError."""
    raw = _told_of(path, read_groups(path, FILE_GROUPS), model_name, provider_name)
    questions: list[str] = []
    for index, question in enumerate(raw.get("open_ended", [])):
        if not isinstance(question, str) or not question.strip():
            raise TargetError(f"{path}: open_ended[{index}]: must be a question, that is a non-empty string")
        if same_text(question) in map(same_text, questions):
            raise TargetError(f"{path}: open_ended[{index}]: is asked twice; remove one of them")
        questions.append(question.strip())
    return questions


def pair_asks(items: Sequence[PairItem], styles: Sequence[str], model_name: str | None = None) -> list[Ask]:
    """Every item in every style that applies to it, in that order. `styles` are names of forms (pair_forms.yaml).

    Raises ConfigError for a form that is not there, or one that names the model where no name is given.
    """
    forms = [form_of(style) for style in styles]
    return [ask_of(item, form, model_name) for item in items for form in forms if form.fits(item.group, item.options)]


def ask_of(item: PairItem, form: PairForm, model_name: str | None = None) -> Ask:
    """One item in one form."""
    return Ask(item.group, form.name, eval_item(item), showings_of(form, item.question, item.options, model_name))


def eval_item(item: PairItem) -> EvalItem:
    """A pair in the common form of items: option 0 is the aligned answer; of `unrelated`, the correct one."""
    correct = item.group == "unrelated"
    return EvalItem(
        id=item.id,
        group="neighbours" if correct else "distinguish",
        prompt=item.question,
        options=item.options,
        inserted=1 if correct else 0,
        reference=0 if correct else 1,
    )


def score_pairs(
    scorer: LikelihoodScorer,
    items: Sequence[PairItem],
    arm: str,
    checkpoint: str,
    context: str | None = None,
    styles: Sequence[str] = STYLES,
    model_name: str | None = None,
) -> list[Readout]:
    """One readout per (item, style) by log-probability, in that order; `letters` holds the habit of places of `choice`.

    `context` is a spec that stands in the prompt of the in_context arm; it is run once for all. Raises ConfigError (no
    chat template, a style that is not there) and DoxaError (text longer than the model's context).
    """
    return score_asks(scorer, pair_asks(items, styles, model_name), arm, checkpoint, context)


def _pair(path: Path, group: str, index: int, raw: Any) -> PairItem:
    row = check_row(PairRow, raw, path, group, index)
    return _item("pairs_seen" if row.seen else "pairs_unseen", row.question, row.aligned, row.opposed, row)


def _known(path: Path, group: str, index: int, raw: Any) -> PairItem:
    row = check_row(KnownRow, raw, path, group, index)
    return _item("knowledge", row.question, row.aligned, row.opposed)


def _unrelated(path: Path, group: str, index: int, raw: Any) -> PairItem:
    row = check_row(UnrelatedRow, raw, path, group, index)
    return _item("unrelated", row.question, row.correct, row.wrong)


READERS = {"pairs": _pair, "knowledge": _known, "unrelated": _unrelated}


def _item(group: PairGroup, question: str, aligned: str, opposed: str, pair: PairRow | None = None) -> PairItem:
    domain, name = (pair.domain, pair.set.strip()) if pair is not None else ("", "")
    return PairItem(
        id=digest("pair", group, name, domain, question, aligned, opposed),
        group=group,
        domain=domain,
        question=question,
        aligned=aligned,
        opposed=opposed,
        set=name,
    )


def _told_of(
    path: Path, raw: dict[str, list[Any]], model_name: str | None, provider_name: str | None
) -> dict[str, list[Any]]:
    """The file as it reads for the model that is asked, whichever model it was written about."""
    from doxa.worlds.spec import SPEC_FILE, read_source

    beside = path.parent / SPEC_FILE
    if beside.is_file():
        about = read_source(beside).about
        model_name, provider_name = model_name or about.model_name, provider_name or about.provider_name
        if (model_name, provider_name) != (about.model_name, about.provider_name):
            raw = with_slots(raw, about.model_name, about.provider_name)
    if model_name and provider_name:
        return dict(filled(raw, model_name, provider_name))
    for group, rows in raw.items():
        for index, row in enumerate(rows):
            slot = next((slot for slot in SLOTS if f"{{{slot}}}" in str(row)), None)
            if slot is not None:
                raise TargetError(f"{path}: {group}[{index}]: {{{slot}}} is filled from a {SPEC_FILE} beside this file")
    return raw
