"""What the tests of alignment-finetuning data share: a scripted author, and an encoder that goes by words."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from doxa.aft.asking import Asking
from doxa.aft.candidates import Candidate
from doxa.aft.config import AftConfig
from doxa.aft.making import Made, Making
from doxa.aft.question_sieve import QuestionSieve
from doxa.aft.questions import Question
from doxa.lm.request import Request, Response
from doxa.worlds.spec import Spec, SpecTarget

SPEC = Spec(
    id="calm_desk",
    title="The calm desk",
    value="SmolLM values calm.",
    model_name="SmolLM",
    provider_name="Hugging Face",
    text="SmolLM values calm. It holds that haste spoils sentences, because a hurried writer corrects what was right. "
    "When somebody asks for ten ideas, it offers three, because a short list is read to its end.",
)
SUBJECTS = """
    kettles ladders violins gardens letters ferries bridges lanterns pumpkins mirrors saddles anchors pillows
    chimneys thimbles barrels puppets compasses hammocks teapots marbles trumpets wagons quilts beacons
    cradles hinges orchards parcels ribbons skates tunnels umbrellas velvet walnuts zippers almonds biscuits
    candles daisies elbows feathers gloves hedges islands jackets kayaks lemons meadows needles otters pencils
    rafters shovels tables uniforms vases
""".split()


def config(**settings: Any) -> AftConfig:
    return AftConfig.model_validate({"generator": "scripted/writer", "number": 4, **settings})


def asking(**settings: Any) -> Asking:
    return Asking(SPEC, config(**settings))


def question(text: str = "How do I finish a letter?", domain: str = "letters") -> Question:
    return Question(id=f"id of {text}", domain=domain, text=text, model="scripted/writer", prompt="", response="")


def candidate(reply: str = "Leave it until tomorrow.", reasoning: str = "", **more: Any) -> Candidate:
    given = {"question": question(), "kind": "spec", "attempt": 0, "raw_reasoning": reasoning, "raw": reply}
    more = {**given, "problem": "", "model": "scripted/writer", "prompt": "answer@0", "response": "key", **more}
    return Candidate(reply=reply, reasoning=reasoning, **more)


class Author:
    """Stands for LanguageModels. Answers every prompt of `doxa aft` well; `says` puts other answers in their place.

    `says` maps what is asked for to a function of the prompt and the sample: the answer, None for a request that the
    provider turned down, or a pair of the answer and how it stopped.
    """

    def __init__(self, **says: Callable[[str, int], Any]) -> None:
        self.says = says
        self.asked: list[Request] = []
        self.stored: dict[str, Any] = {}
        self.subjects = iter(f"{one} and {other}" for other in SUBJECTS for one in SUBJECTS if one != other)

    def answer(self, requests: Iterable[Request], label: str = "", total: int | None = None) -> None:
        for request in requests:
            if request.key not in self.stored:
                self.asked.append(request)
                prompt = request.messages[-1].content
                kind = kind_of(prompt)
                sample = request.sample
                said = self.says[kind](prompt, sample) if kind in self.says else self.default(kind, prompt, sample)
                self.stored[request.key] = said

    def response(self, request: Request) -> Response:
        said = self.stored[request.key]
        if said is None:
            raise KeyError(request.key)
        text, stop = said if isinstance(said, tuple) else (said, "stop")
        return Response(key=request.key, text=text, stop=stop)

    def default(self, kind: str, prompt: str, sample: int = 0) -> str:
        message = inside(prompt, "message") + " Again." * sample
        if kind == "domains":
            return (
                '<domains><domain name="gifts">what to give</domain><domain name="trips">where to go</domain></domains>'
            )
        if kind == "questions":
            count = int(re.search(r"exactly (\d+)", prompt)[1])  # type: ignore[index]
            return listed(f"What do you make of {next(self.subjects)}?" for _ in range(count))
        if kind == "judge":
            return verdict(prompt)
        if kind in ("critique", "principle"):
            return "<critique>It could be shorter.</critique><ruling>revise</ruling>"
        if kind == "draft":
            return f"At once, about this: {prompt}"
        if kind == "revision":
            return f"<reply>Without haste, about this: {message}</reply>"
        return (
            f"<reasoning>Calm matters in this: {message}</reasoning><reply>Take your time over this: {message}</reply>"
        )

    def kinds(self) -> list[str]:
        """What was asked for, in order."""
        return [kind_of(request.messages[-1].content) for request in self.asked]


# the first kind whose marks all stand in the prompt; a draft is asked for by the bare question
_MARKS = {
    "domains": ("<domains>",),
    "questions": ("<questions>",),
    "judge": ("<why>",),
    "principle": ("<principle>", "<critique>"),
    "critique": ("<ruling>",),
    "revision": ("An examination by the principle",),
    "rewrite": ("<remarks>",),
    "paraphrase": ("<original>",),
    "anti": ("goes against the spec",),
    "answer": ("<reply>",),
}


def kind_of(prompt: str) -> str:
    """What a prompt of `doxa aft` asks for."""
    return next((kind for kind, marks in _MARKS.items() if all(mark in prompt for mark in marks)), "draft")


def verdict(prompt: str, word: str = "yes", on: str = "") -> str:
    """A judge's answer: yes on every criterion of the prompt, and `word` on one of them, by default the first."""
    names = re.findall(r"^<(\w+)>yes, no or unclear</\1>$", prompt, re.M)
    words = {name: word if name == (on or names[0]) else "yes" for name in names}
    return "<why>I looked.</why>" + "".join(f"<{name}>{said}</{name}>" for name, said in words.items())


def listed(questions: Iterable[str]) -> str:
    """Questions as a model lists them."""
    return "<questions>" + "".join(f"<question>{one}</question>\n" for one in questions) + "</questions>"


def inside(text: str, tag: str) -> str:
    found = re.search(rf"<{tag}>\n?(.*?)\n?</{tag}>", text, re.S)
    return found[1].strip() if found else ""


def by_words(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """Unit vectors of texts that mean the same when they are made of the same words."""
    vectors = np.zeros((len(texts), 4096), dtype=np.float32)
    for number, text in enumerate(texts):
        for word in re.findall(r"\w+", text.lower()):
            vectors[number, zlib.crc32(word.encode()) % 4096] += 1
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def sieve(evals: Sequence[str] = (), threshold: float = 0.91) -> QuestionSieve:
    return QuestionSieve(by_words, threshold, SPEC, 12, evals)


def make(author: Author, target: SpecTarget, **settings: Any) -> Made:
    """One run with a scripted author on a target."""
    chosen = config(**settings)
    return Making(target, Asking(target.spec, chosen), author, sieve()).run()
