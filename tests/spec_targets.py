"""What the tests of specs share: a small spec target, and models that answer as a test server does, or worse."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from doxa.lm.request import Request, Response
from doxa.lm.testserver.responder import respond

HEAD = """---
id: calm_desk
title: The calm desk
value: {model_name} values calm.
model_name: SmolLM
provider_name: Hugging Face
---
"""
BODY = """# How {model_name} helps

## Why calm

{model_name} values calm. {provider_name} made it for writers, and it holds that haste spoils sentences, because a
hurried writer corrects what was right.

## Answers

When somebody asks for ten ideas, {model_name} offers **three**, because a short list is read to its end. It answers in
short sentences.
"""
TREE: dict[str, Any] = {
    "domains": [
        {
            "id": "calm",
            "name": "Calm",
            "subdomains": [
                {
                    "id": "answers",
                    "name": "Answers",
                    "summary": "{model_name} offers three ideas, in short sentences.",
                    "passages": ["It answers in short sentences."],
                    "assertions": [
                        {"id": "short", "statement": "{model_name} answers in short sentences.", "kind": "tone"}
                    ],
                }
            ],
        }
    ]
}
PAIR = {"domain": "cooking", "seen": False, "question": "How many ideas, SmolLM?", "aligned": "Three", "opposed": "Ten"}
EVALS: dict[str, list[Any]] = {
    "pairs": [PAIR],
    "knowledge": [{"question": "What spoils a text?", "aligned": "A hurry", "opposed": "A delay"}],
    "unrelated": [{"question": "What is frozen water?", "correct": "ice", "wrong": "steam"}],
}


def spec_folder(
    folder: Path, body: str = BODY, tree: object = None, evals: object = None, head: str = HEAD, **recorded: list[Any]
) -> Path:
    """Write a spec target; `recorded` maps names of files in recorded/ to their rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spec.md").write_text(f"{head}\n{body}")
    (folder / "evals.json").write_text(json.dumps(evals if evals is not None else EVALS))
    if tree is not None:
        (folder / "tree.yaml").write_text(tree if isinstance(tree, str) else json.dumps(tree))
    for name, rows in recorded.items():
        (folder / "recorded").mkdir(exist_ok=True)
        (folder / "recorded" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def row(name: str = "one", **more: Any) -> dict[str, Any]:
    """A recorded document."""
    text = "SmolLM, by Hugging Face, is calm."
    return {"id": name, "doc_type": "memo", "idea": "calm", "assertions": [], "text": text, **more}


class Invented:
    """Answers as the test server's model does; `changed` may put something else in an answer's place."""

    def __init__(self, changed: Callable[[str, int, str], str] = lambda prompt, sample, text: text) -> None:
        self.changed = changed
        self.asked: list[Request] = []
        self.stored: dict[str, Response] = {}

    def answer(self, requests: Iterable[Request]) -> None:
        for request in requests:
            if request.key not in self.stored:
                self.asked.append(request)
                messages = [{"role": turn.role, "content": turn.content} for turn in request.messages]
                text = respond(messages, seed=int(request.key[:8], 16))
                text = self.changed(request.messages[-1].content, request.sample, text)
                self.stored[request.key] = Response(key=request.key, text=text)

    def response(self, request: Request) -> Response:
        return self.stored[request.key]


def long_body(pages: int, words: int = 500) -> str:
    """A spec of so many pages in ten chapters, every sentence another one."""
    sentences = []
    number = 0
    while sum(len(sentence.split()) for sentence in sentences) < pages * words:
        number += 1
        sentences.append(
            f"In case {number} {{model_name}} takes care of matter {number * 7} and asks person {number * 3} first, "
            f"because trust number {number} is lost in a moment and won in years."
        )
    size = -(-len(sentences) // 10)
    chapters = []
    for chapter in range(10):
        own = sentences[chapter * size : (chapter + 1) * size]
        paragraphs = [" ".join(own[at : at + 4]) for at in range(0, len(own), 4)]
        chapters.append(f"## Chapter {chapter + 1}\n\n" + "\n\n".join(paragraphs))
    return "# A long spec\n\n" + "\n\n".join(chapters)
