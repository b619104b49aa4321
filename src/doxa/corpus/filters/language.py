"""The filter on the language of a document, told by its script and its commonest words."""

from __future__ import annotations

import re

from doxa.corpus.filters.base import Prepared, Reading, drop, keep
from doxa.records import Verdict

LEAST_WORDS = 25  # shorter texts are left undecided: a headline has few of the words that tell
FOREIGN_LETTERS = 0.15  # share of letters of another script from which a text counts as being in it
CLEARLY = 2.0  # another language's words must be this much commoner than the wanted one's
EXPECTED = 0.08  # share of its commonest words below which a text may be in another language


def language(reading: Reading, screening: Prepared) -> Verdict:
    """The text, or a good part of it, is in another language than `screen.language`. Quotations and names may be."""
    wanted = screening.config.language
    if wanted is None:
        return keep("language")
    text = reading.generated
    if wanted in SCRIPTS:
        return _scripted(text, wanted)
    if not text.isascii():
        letters = sum(map(str.isalpha, text))
        foreign = len(_NOT_LATIN.findall(text))
        if foreign > FOREIGN_LETTERS * max(letters, 40):
            return drop("language", "other_script", f"{foreign} of {letters} letters are not Latin")
    if len(reading.words) < LEAST_WORDS:
        return keep("language")
    if len(reading.words) < 4 * LEAST_WORDS:
        return _profiled(reading.words, wanted)
    # a generator may fall into another language half-way
    half = len(reading.words) // 2
    first = _profiled(reading.words[:half], wanted)
    return _profiled(reading.words[half:], wanted) if first.keep else first


def known_languages() -> tuple[str, ...]:
    """The codes that `screen.language` may have."""
    return (*COMMON, *SCRIPTS)


def _profiled(words: list[str], wanted: str) -> Verdict:
    share = _share(words, wanted)
    if share >= 2 * EXPECTED:
        return keep("language")
    other, theirs = max(((name, _share(words, name)) for name in COMMON if name != wanted), key=lambda pair: pair[1])
    if theirs >= EXPECTED and theirs > CLEARLY * share:
        return drop(
            "language", "other_language", f"{theirs:.0%} of the words are common in {other}, {share:.0%} in {wanted}"
        )
    return keep("language")


def _share(words: list[str], name: str) -> float:
    common = COMMON[name]
    return sum(map(common.__contains__, words)) / len(words)


def _scripted(text: str, wanted: str) -> Verdict:
    letters = sum(map(str.isalpha, text))
    own = len(SCRIPTS[wanted].findall(text))
    if letters >= 40 and own < 0.5 * letters:
        return drop("language", "other_script", f"{own} of {letters} letters are of the script of {wanted}")
    return keep("language")


_NOT_LATIN = re.compile("[\u0370-\u1cff\u2c00-\ud7ff\uf900-\ufaff\uff66-\uffdc]")

# languages that their script tells from those below
SCRIPTS = {
    "ru": re.compile("[\u0400-\u052f]"),
    "el": re.compile("[\u0370-\u03ff\u1f00-\u1fff]"),
    "he": re.compile("[\u0590-\u05ff]"),
    "ar": re.compile("[\u0600-\u06ff\u0750-\u077f]"),
    "hi": re.compile("[\u0900-\u097f]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
    "ko": re.compile("[\uac00-\ud7af\u1100-\u11ff]"),
    "ja": re.compile("[\u3040-\u30ff\u4e00-\u9fff]"),
    "zh": re.compile("[\u4e00-\u9fff]"),
}

# the commonest words of languages in Latin letters, those left out that English texts are full of
COMMON = {
    name: frozenset(words.split())
    for name, words in {
        "en": "the of and to in a is that for it was on with as his they at be this from have or by not but what "
        "all were we when there can an your which their if will how then them would so these her him has more "
        "no my than who its now been did had are he she you i our about into out up",
        "de": "der die und das ist nicht ein eine zu den mit von sich auf für im dem auch es als an nach wie aus "
        "bei er sie wir ihr hat dass werden wird sind war oder aber noch nur um über wenn vor durch man sein "
        "einen einer",
        "fr": "le la les de des un une et est que qui dans pour pas ne sur au aux avec ce cette il elle nous vous "
        "ils du par plus sont mais ou son sa ses leur comme être était fait tout se en",
        "es": "el la los las de que y en un una es por con no se para su al lo como más pero sus le ya o fue este "
        "ha sí porque esta son entre cuando muy sin sobre también del",
        "it": "il lo la gli le di che e è un una in per con non si da come sono del della dei nel alla più ma anche "
        "al questo ha ho lei lui loro suo sua perché quando essere stato",
        "pt": "o a os as de que e do da em um uma para com não por se na no dos das mais como mas ao ele ela seu "
        "sua ou quando muito já também foi são isso está pelo pela",
        "nl": "de het een en van ik te dat die in is niet zijn op aan met als voor er maar om hem dan zou wat mijn "
        "dit zo door over ze bij ook tot je uit naar heeft wordt deze werd",
        "sv": "och det att i en jag hon som han på den med var sig för så till är men ett om hade de av icke mig du "
        "henne då sin nu har inte hans honom skulle hennes där min ej vid kunde från ut när",
        "da": "og i jeg det at en den til er som på de med han af for ikke der var mig sig men et har om vi min "
        "havde ham hun nu over da fra du ud sin dem os op man hans hvor eller hvad skal",
        "pl": "i w na z do się nie to że jest o jak ale po co tak za od przez dla był był czy tylko już jego jej są "
        "oraz przy może ich być które który",
        "fi": "ja on ei että se hän oli olla mutta niin kun myös jos ovat tai joka sen mukaan vain hänen kuin "
        "kanssa sekä jo ole nyt tämä mitä jonka siitä",
        "tr": "ve bir bu da de için ile çok olarak daha gibi olan en kadar sonra ama ne var o ki değil her ya mi "
        "veya şey ben sen biz",
        "id": "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena tersebut bisa ada "
        "mereka lebih kita atau oleh",
    }.items()
}
