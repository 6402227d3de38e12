"""The language of a set of references."""

from __future__ import annotations

import pytest

from stt_load.audio.texts import english_set, standard_set
from stt_load.metrics.language_guess import SAMPLE, choose_language, guess_language
from stt_load.metrics.languages import LANGUAGES

REFERENCES: list[tuple[str, list[str]]] = [
    ("en", ["turn left", "stop"]),
    ("en", ["HE WAS NOT AN ILL DISPOSED YOUNG MAN"]),
    ("en", ["My name is 王小明 and I live in 北京."]),
    ("en", ["I went to the café and had a crème brûlée with Zoë in Málaga"]),
    ("en", ["<|de|>what is the weather like"]),
    ("en", ["yes", "no", "up", "down"]),
    ("de", ["Wir treffen uns um acht Uhr"]),
    ("de", ["Das ist ein Test", "Guten Morgen wie geht es Ihnen"]),
    ("it", ["Vorrei parlare della consegna del mio nuovo tavolo da cucina", "Non lo so ma credo di si"]),
    ("it", ["la vita e bella"]),
    ("nl", ["Ik wil graag over de levering van mijn nieuwe tafel praten", "Goedemorgen hoe gaat het"]),
    ("pt", ["preciso de um carro"]),
    ("pt", ["Bom dia, eu gostaria de falar sobre a entrega da minha mesa"]),
    ("fr", ["Je voudrais un café, s'il vous plaît.", "Où est la gare ?"]),
    ("es", ["¿Cómo estás? Quiero hablar con usted de la entrega, por favor"]),
    ("id", ["Saya ingin bertanya tentang pengiriman meja dapur baru saya"]),
    ("tr", ["İstanbul'da yeni masamın teslimatı hakkında sormak istiyorum"]),
    ("pl", ["Dzień dobry chciałbym zapytać o dostawę mojego nowego stołu"]),
    ("ru", ["Где вокзал?", "Это ёлка"]),
    ("uk", ["П'ять хвилин до відправлення її потяга"]),
    ("ko", ["역이 어디예요?"]),
    ("ar", ["أريد أن أسأل عن توصيل طاولتي الجديدة"]),
    ("fa", ["می‌خواهم درباره‌ی گزارش بپرسم"]),
    ("ur", ["میں نئی میز کے بارے میں پوچھنا چاہتا ہوں"]),
    ("he", ["אני רוצה לשאול על המשלוח"]),
    ("hi", ["मैं अपनी नई मेज के बारे में पूछना चाहता हूँ"]),
    ("th", ["ฉันต้องการสอบถามเกี่ยวกับการจัดส่ง"]),
    ("lo", ["ຂ້ອຍຢາກຖາມກ່ຽວກັບການສົ່ງ"]),
    ("km", ["ខ្ញុំចង់សួរអំពីការដឹកជញ្ជូន"]),
    ("my", ["ကျွန်တော့်ရဲ့မီးဖိုချောင်"]),
    ("zh", ["今天天气很好。", "我要退货！"]),
    ("zh", ["请帮我 book 一个 meeting room"]),
    ("ja", ["駅はどこですか"]),
    ("ja", ["NHKのニュースでiPhoneの話"]),
]


@pytest.mark.parametrize(("code", "references"), REFERENCES)
def test_a_language_is_named_by_its_letters_and_words(code: str, references: list[str]) -> None:
    assert guess_language(references).language is LANGUAGES[code]


@pytest.mark.parametrize("texts", [english_set(), standard_set()])
def test_the_shipped_texts_are_english(texts: dict[str, str]) -> None:
    assert guess_language(texts.values()).language.code == "en"
    assert all(guess_language([text]).language.code == "en" for text in texts.values())


@pytest.mark.parametrize("references", [[], [""], ["..."], ["12345", "67890"], ["😀"]])
def test_without_words_nothing_speaks_for_another_language_than_english(references: list[str]) -> None:
    assert "no words to guess from" in guess_language(references).told
    assert guess_language(references).normaliser.name == "english"


@pytest.mark.parametrize(
    "references",
    [
        ["Haluaisin kysyä uuden keittiönpöytäni toimituksesta"],
        ["Mario Rossi Giovanni Bianchi Luca Verdi"],
        ["Ningependa kuuliza kuhusu meza yangu mpya ya jikoni"],
    ],
)
def test_what_is_not_shown_to_be_english_is_not_scored_by_its_rules(references: list[str]) -> None:
    assert guess_language(references).normaliser.name == "basic"


def test_a_choice_says_why_and_how_to_choose_another() -> None:
    guess = guess_language(["Wir treffen uns um acht Uhr"])
    assert guess.told.startswith("German (de), guessed: 50% of the references' words are among the commonest of German")
    assert "--language" in guess.told
    asked = choose_language("th", ["Wir treffen uns um acht Uhr"])
    assert asked.told == "Thai (th), as you asked"
    assert choose_language(None, ["Wir treffen uns um acht Uhr"]) == guess
    assert guess.as_data()["code"] == "de"


def test_of_many_references_a_bounded_number_is_looked_at() -> None:
    looked_at = 0

    def references() -> object:
        nonlocal looked_at
        for _ in range(SAMPLE * 2):
            looked_at += 1
            yield "the lamp " * 1_000

    assert guess_language(references()).language.code == "en"  # type: ignore[arg-type]
    assert looked_at == SAMPLE
