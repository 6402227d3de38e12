"""Signs of a language in its texts: scripts, letters and words that few others have.

The words are some thirty of the commonest of each language in Latin script; words that are borrowed everywhere are left
out. A language that isn't here isn't named by a guess, which costs nothing: it is scored like most of those that are.
"""

from __future__ import annotations

LANGUAGE_OF_SCRIPT = {
    "THAI": "th",
    "LAO": "lo",
    "KHMER": "km",
    "MYANMAR": "my",
    "TIBETAN": "bo",
    "HANGUL": "ko",
    "GREEK": "el",
    "HEBREW": "he",
    "ARMENIAN": "hy",
    "GEORGIAN": "ka",
    "ETHIOPIC": "am",
    "BENGALI": "bn",
    "GURMUKHI": "pa",
    "GUJARATI": "gu",
    "ORIYA": "or",
    "TAMIL": "ta",
    "TELUGU": "te",
    "KANNADA": "kn",
    "MALAYALAM": "ml",
    "SINHALA": "si",
    "DEVANAGARI": "hi",
    "CYRILLIC": "ru",
    "ARABIC": "ar",
    "CJK": "zh",
}
"""Script, by the first word of its letters' Unicode names → the language that is meant unless letters say otherwise."""

WITHOUT_BLANKS = frozenset({"CJK", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})
"""Scripts that have no blanks between words."""

LETTERS_OF: dict[str, dict[str, str]] = {
    "CYRILLIC": {
        "be": "ў",
        "uk": "їєґ",
        "mk": "ѓќѕ",
        "sr": "ђћџљњј",
        "kk": "әғқңұһ",
        "mn": "өү",
        "ru": "ыэё",
        "bg": "ъ",
    },
    "LATIN": {
        "vi": "ơưạảấầậắằặẹẻếềểễệịọỏốồộớờởợụủứừửữựỳỷỹ",
        "az": "ə",
        "tr": "ığ",
        "pl": "łąęśźż",
        "cs": "řěů",
        "hu": "őű",
        "ro": "ățţ",
        "is": "ðþ",
        "lt": "ėųį",
        "lv": "āēīģķļņ",
        "sk": "ľĺŕ",
        "de": "ß",
        "pt": "ãõ",
        "es": "ñ",
        "fi": "ä",
    },
    "ARABIC": {
        "ur": "ٹڈڑںے",
        "ps": "ټډړښځ",
        "sd": "ٻڀٺڄ",
        "ug": "ېۈۆ",
        "ku": "ێڵ",
        "fa": "پچژگ",
        "ar": "ةىإأ",
    },
}
"""Script → language → letters that no other language of the table has; the first language with enough of them is it."""

WORDS_OF = {
    "en": "the of to and in is it that was for you he on are with as his they at be this have from i had not but "
    "what all were we when your can there an she do how their if will up my her would has been so no than me "
    "who could them him its about out just get like or by please yes down left right off stop go a where did "
    "does want know went one two three four five six seven eight nine ten zero into over after our us don't "
    "it's i'm that's",
    "de": "der die das und ist nicht ein eine ich zu den mit von sich auf für im dem es sie wir auch als an wie aus "
    "hat war ihr bei nur noch nach werden wird einen einer kann haben uns um mein meine wenn was oder guten",
    "nl": "de het een en van ik te dat die in is op met niet zijn er maar om voor als wat je heeft hij aan ook bij "
    "nog wel naar over mijn geen dit uit kan hebben we ze wil gaat wordt deze door bent hoe goede",
    "af": "die en van is nie het in ek dat wat vir met op sy jou hulle was om te aan na ook sal kan",
    "fr": "le la les de des du un une et est que qui dans pour pas je il elle nous vous ce sur au aux avec ne se "
    "plus par sont mais on a à ou comme cette c'est tout y bonjour où quel quelle suis votre",
    "es": "el la los las de que y en un una es no por con para se lo su como más pero al del me mi le está son yo "
    "muy qué hay todo si ha fue sobre puede dónde cuál quién buenos",
    "pt": "o a os as de que e do da em um uma é não para com por se no na dos mais como mas eu ele ao foi sua muito "
    "você isso está meu minha são bom pelo pela preciso onde",
    "it": "il la di che e un una è non per in sono con si da del della lo le gli al mi ma ho come questo questa "
    "anche mio ha nel più io se alla dei i quello molto vorrei dove",
    "ca": "el la de que i en un una és no per amb els les del al se com ha molt més està on",
    "ro": "și de la în a nu cu o este un pe că să mai din pentru ce care sunt am lui au fost",
    "sv": "och att det i en jag som på är av för med till den har de inte om ett han men var sig så vi kan från ska",
    "da": "og det at en jeg som på er af for med til den har de ikke om et han men var sig så vi kan fra skal du der",
    "no": "og det å en jeg som på er av for med til den har de ikke om et han men var seg så vi kan fra skal du",
    "is": "og að í er á það sem ekki til var en um við ég hann með af fyrir",
    "fi": "ja on ei se että hän oli mutta niin kun minä ovat myös tämä ole kuin sen joka mitä olen vain nyt sinä mikä",
    "et": "ja on ei et see ta oli ma ning kui mis ka oma",
    "hu": "a az és hogy nem is egy van meg de ez ha volt csak mint már én ki mi",
    "pl": "nie się w na to jest do że z jak i co o ale po tak za mi od jego czy dla tym ma są",
    "cs": "je na se že v to a s z do i o ale jako si jsem po tak pro který by jsou kde",
    "sk": "je sa na že v to a s z do i o ale ako som po tak pre by sú kde",
    "sl": "je in da se v na ne sem to za kot so pa s ki bi",
    "hr": "je i da se u na ne sam to za što od su kao ali s gdje",
    "lt": "ir yra kad tai ne į su jis iš buvo kas",
    "lv": "un ir ka tas ne ar no es uz kas bija",
    "sq": "dhe në të e një është për me që nga si nuk",
    "tr": "bir ve bu da de için ne çok ile ben o var mi mı gibi daha ama kadar olan olarak nasıl",
    "az": "bir və bu da də üçün nə çox ilə mən olan kimi var",
    "id": "yang dan di itu dengan untuk tidak ini dari dalam akan pada saya adalah ke kami ada bisa anda apa tentang",
    "tl": "ang ng sa na ay mga at ko hindi ito siya ako para",
    "sw": "na ya wa ni kwa katika la za hii hiyo yake kuwa lakini sana",
    "vi": "là và của có không được cho một tôi trong người này với các những",
    "eu": "eta da ez bat izan du zen dira ere",
    "ga": "an na agus ar is tá sé go le bhí",
    "cy": "y yr yn a i o mae ar wedi ei",
}
"""Language → its commonest words."""

_languages_with: dict[str, list[str]] = {}
for _code, _words in WORDS_OF.items():
    for _word in _words.split():
        _languages_with.setdefault(_word, []).append(_code)

LANGUAGES_WITH = {word: tuple(codes) for word, codes in _languages_with.items()}
"""Word → the languages among whose commonest words it is."""
