"""Languages by code, and the name of the normaliser (`normaliser.py`) that transcripts in each are scored with.

The codes are those of Whisper, ISO 639-1 mostly. A language that isn't in `_NORMALISERS` is scored by `basic`: words
between blanks. `zh-en` is no language but Chinese with English in it, and never guessed: whether a Latin word counts as
one or letter by letter is for the reader to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Language:
    """A language that clips may be spoken in. `normaliser`: the name of the one that its texts go through."""

    code: str
    name: str
    normaliser: str


_BASIC = "basic"
_NORMALISERS = {
    "en": "english",
    "zh": "chinese",
    "yue": "chinese",
    "zh-en": "mixed",
    **dict.fromkeys(("ja", "th", "lo", "km", "my", "bo", "dz"), "characters"),
    **dict.fromkeys(("tr", "az"), "turkish"),
    "ru": "russian",
    "ar": "arabic",
}

_NAMES = """
af Afrikaans, am Amharic, ar Arabic, as Assamese, az Azerbaijani, ba Bashkir, be Belarusian, bg Bulgarian, bn Bengali,
bo Tibetan, br Breton, bs Bosnian, ca Catalan, cs Czech, cy Welsh, da Danish, de German, dz Dzongkha, el Greek,
en English, eo Esperanto, es Spanish, et Estonian, eu Basque, fa Persian, fi Finnish, fil Filipino, fo Faroese,
fr French, fy Frisian, ga Irish, gl Galician, gu Gujarati, ha Hausa, haw Hawaiian, he Hebrew, hi Hindi, hr Croatian,
ht Haitian, hu Hungarian, hy Armenian, id Indonesian, ig Igbo, is Icelandic, it Italian, ja Japanese, jw Javanese,
ka Georgian, kk Kazakh, km Khmer, kn Kannada, ko Korean, ku Kurdish, ky Kyrgyz, la Latin, lb Luxembourgish, ln Lingala,
lo Lao, lt Lithuanian, lv Latvian, mg Malagasy, mi Maori, mk Macedonian, ml Malayalam, mn Mongolian, mr Marathi,
ms Malay, mt Maltese, my Burmese, ne Nepali, nl Dutch, nn Nynorsk, no Norwegian, oc Occitan, om Oromo, or Odia,
pa Punjabi, pl Polish, ps Pashto, pt Portuguese, ro Romanian, ru Russian, rw Kinyarwanda, sa Sanskrit, sd Sindhi,
si Sinhala, sk Slovak, sl Slovenian, sn Shona, so Somali, sq Albanian, sr Serbian, su Sundanese, sv Swedish, sw Swahili,
ta Tamil, te Telugu, tg Tajik, th Thai, ti Tigrinya, tk Turkmen, tl Tagalog, tr Turkish, tt Tatar, ug Uyghur,
uk Ukrainian, ur Urdu, uz Uzbek, vi Vietnamese, wo Wolof, xh Xhosa, yi Yiddish, yo Yoruba, yue Cantonese, zh Chinese,
zh-en Chinese with English, zu Zulu
"""

LANGUAGES: dict[str, Language] = {
    code: Language(code, name, _NORMALISERS.get(code, _BASIC))
    for code, _, name in (entry.strip().partition(" ") for entry in _NAMES.split(","))
}
"""Every language that `--language` takes, by its code."""

OTHER = Language("und", "a language other than English", _BASIC)
"""What a guess says where the words are not English and of no language that it knows."""


# What speakers may type instead of the English name, to be told the code: "Deutsch" looks like Dutch.
_OWN_NAMES = {
    "deutsch": "de",
    "español": "es",
    "français": "fr",
    "italiano": "it",
    "nederlands": "nl",
    "polski": "pl",
    "português": "pt",
    "svenska": "sv",
    "türkçe": "tr",
    "русский": "ru",
    "українська": "uk",
    "中文": "zh",
    "mandarin": "zh",
    "日本語": "ja",
    "한국어": "ko",
    "العربية": "ar",
    "हिन्दी": "hi",
    "ไทย": "th",
}


def parse_language(text: str) -> str:
    """The code of a language, written as a code (`pt`, `pt-BR`) or as its English name. ValueError if there is none."""
    wanted = text.strip().lower().replace("_", "-")
    for code in (wanted, wanted.partition("-")[0]):
        if code in LANGUAGES:
            return code
    names = {language.name.lower(): language.code for language in LANGUAGES.values()}
    if wanted in names:
        return names[wanted]
    codes = {**{code: code for code in LANGUAGES}, **names, **_OWN_NAMES}
    close = [codes[name] for name in get_close_matches(wanted, codes, n=1)]
    meant = f" ({close[0]} for {LANGUAGES[close[0]].name}?)" if close else ""
    raise ValueError(
        f"{text!r} is no language{meant}: write its code, like en, de or th, or leave it out to have it guessed"
    )
