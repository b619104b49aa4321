"""`doxa validate` for a spec target: all that can be checked before anything is spent on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from doxa.corpus.filters.names import Names
from doxa.corpus.identity import called_otherwise
from doxa.errors import TargetError
from doxa.worlds.check_facts import odd_text
from doxa.worlds.check_pairs import pair_findings, pair_form, read_pairs
from doxa.worlds.findings import Finding, Report
from doxa.worlds.spec import SPEC_FILE, TREE_FILE, Spec, SpecTarget, load_spec_target, read_source, spec_folder
from doxa.worlds.spec_grounding import summary_beyond, ungrounded
from doxa.worlds.spec_identity import identity_findings
from doxa.worlds.spec_recorded import FILES, recorded_chats, recorded_spec_rows
from doxa.worlds.spec_scaffold import EXAMPLE_VALUE
from doxa.worlds.spec_text import coverage, is_verbatim
from doxa.worlds.spec_tree import SpecTree, parse_tree

SHORT_WORDS, COSTLY_WORDS = 60, 30_000  # a spec's words; every request of plan and write carries all of them
SHOWN = 3  # sentences that no passage covers, of how many
SEE = "see docs/formats-spec.md"


def validate_spec(name_or_path: str) -> Report:
    """Check a bundled spec or a spec's folder; one that does not load is a report, not an exception.

    Raises TargetError when there is no such folder.
    """
    folder = spec_folder(name_or_path)
    spec, findings = _spec(folder)
    tree: SpecTree | None = None
    counts: dict[str, int] = {"words": len(spec.text.split())} if spec is not None else {}
    if spec is not None and (folder / TREE_FILE).exists():
        tree, problems = _tree(folder, spec)
        findings += problems
    if tree is not None:
        counts |= {name: len(getattr(tree, name)) for name in ("domains", "subdomains", "assertions")}
    if spec is not None and not any(found.level == "error" and found.file == TREE_FILE for found in findings):
        findings += _recorded(load_spec_target(name_or_path))
    asked, problems = read_pairs(folder, spec)
    findings += problems + pair_findings(asked, spec, folder)
    form, given_away = pair_form(asked)
    findings += given_away
    counts |= Counter(one.label for one in asked)
    order = {SPEC_FILE: 0, TREE_FILE: 1}
    ordered = sorted(findings, key=lambda found: (found.level != "error", order.get(found.file, 2)))
    return Report(target=str(name_or_path), findings=tuple(ordered), form=tuple(form), counts=counts)


def _spec(folder: Path) -> tuple[Spec | None, list[Finding]]:
    path = folder / SPEC_FILE
    try:
        source = read_source(path)
    except TargetError as error:
        return None, [_finding("error", "loads", SPEC_FILE, "", str(error).removeprefix(f"{path}: "), SEE)]
    spec = source.filled()
    findings = identity_findings(source, spec)
    for field, text in (("title", spec.title), ("value", spec.value), ("", spec.text)):
        findings += odd_text(SPEC_FILE, field, text)
    count = len(spec.text.split())
    if count >= COSTLY_WORDS:
        said = f"has {count:,} words, all of which every request for a document carries"
        advice = f"shorten it, or count on about {count * 4 // 3:,} input tokens a request"
        findings.append(_finding("warning", "lengths", SPEC_FILE, "", said, advice))
    elif count < SHORT_WORDS:
        said = f"has {count} words only"
        advice = "say more of what the model values and does, and why: documents can say no more than the spec"
        findings.append(_finding("warning", "lengths", SPEC_FILE, "", said, advice))
    if source.about.value == EXAMPLE_VALUE:
        said, advice = "is still the example that doxa init wrote", "write your own spec and items"
        findings.append(_finding("warning", "clean_texts", SPEC_FILE, "value", said, advice))
    return spec, findings


def _tree(folder: Path, spec: Spec) -> tuple[SpecTree | None, list[Finding]]:
    path = folder / TREE_FILE
    try:
        tree = parse_tree(path, spec)
    except TargetError as error:
        return None, [_finding("error", "loads", TREE_FILE, "", str(error).removeprefix(f"{path}: "), SEE)]
    return tree, [*_passages(tree, spec), *_coverage(tree, spec), *_grounds(tree, spec)]


def _passages(tree: SpecTree, spec: Spec) -> Iterator[Finding]:
    for subdomain in tree.subdomains:
        for number, passage in enumerate(subdomain.passages, start=1):
            if not is_verbatim(passage, spec.text):
                field = f"{subdomain.id}.passages[{number}]"
                said = f"does not stand in {SPEC_FILE} word for word: {passage[:80]!r}"
                yield _finding("error", "verbatim", TREE_FILE, field, said, f"copy it from {SPEC_FILE}, or remove it")


def _coverage(tree: SpecTree, spec: Spec) -> Iterator[Finding]:
    covered = coverage(spec.text, tree.passages)
    missing = covered.uncovered
    if missing:
        first = "; ".join(f'"{sentence[:70]}"' for sentence in missing[:SHOWN])
        said = f"{len(missing)} of {covered.sentences} sentences of the spec stand in no passage, as {first}"
        yield _finding(
            "warning", "coverage", TREE_FILE, "", said, "no document will be planned from them; add passages"
        )


def _grounds(tree: SpecTree, spec: Spec) -> Iterator[Finding]:
    advice = "see that the spec really says it"
    for subdomain in tree.subdomains:
        odd = summary_beyond(subdomain.summary, subdomain.passages, spec)
        if odd:
            yield _finding("warning", "grounds", TREE_FILE, f"{subdomain.id}.summary", odd, advice)
        for assertion in subdomain.assertions:
            for problem in ungrounded(assertion, subdomain.passages, spec):
                yield _finding("warning", "grounds", TREE_FILE, f"assertion {assertion.id}", problem, advice)


def _recorded(target: SpecTarget) -> Iterator[Finding]:
    """Rows that do not load, documents that call the model otherwise, and subdomains that no document is about."""
    folder = target.folder / "recorded"
    corpora = {name: corpus for corpus, name in FILES.items()}
    for path in sorted(folder.glob("*.jsonl")):
        file = f"recorded/{path.name}"
        try:
            if path.name in corpora:
                rows = recorded_spec_rows(target, corpora[path.name])
                texts = [(row.id, row.text) for row in rows]
            else:
                rows = []
                texts = [
                    (chat.id, "\n".join(turn["content"] for turn in chat.messages))
                    for chat in recorded_chats(target, path.stem)
                ]
        except TargetError as error:
            where, _, problem = str(error).removeprefix(str(path)).lstrip(":, ").partition(": ")
            yield _finding("error", "recorded", file, where if problem else "", problem or where, SEE)
            continue
        yield from _names(file, texts, target.spec)
        if path.name == FILES["spec"] and target.tree is not None:
            told = {row.subdomain for row in rows}
            for subdomain in target.tree.subdomains:
                if subdomain.id not in told:
                    said = f"no row of {len(rows)} is about the subdomain {subdomain.id!r}"
                    yield _finding("warning", "recorded", file, "subdomain", said, "add documents, or know of it")


def _names(file: str, texts: list[tuple[str, str]], spec: Spec) -> Iterator[Finding]:
    names = Names(spec.model_name, spec.provider_name)
    wrong = [(name, said) for name, text in texts if (said := called_otherwise(text, names))]
    if wrong:
        problem = f"{len(wrong)} of {len(texts)} rows call {names.model} otherwise, as {wrong[0][0]}: {wrong[0][1]}"
        advice = "a model that is trained on them learns that it is somebody else: write the right name"
        yield _finding("error", "identity", file, "text", problem, advice)


def _finding(level: str, check: str, file: str, field: str, problem: str, advice: str) -> Finding:
    return Finding.model_validate(
        {"level": level, "check": check, "file": file, "field": field, "problem": problem, "advice": advice}
    )
