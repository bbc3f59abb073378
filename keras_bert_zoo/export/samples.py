"""Texts that an exported model is tried on: written for this, of several kinds and scripts."""

TEXTS = (
    "The ferry was late again, so we shared the last of the oranges.",
    "",
    "Çay mı, kahve mi? Zoë's café serves both — until 23:45!",
    "山里的雨下了一整夜，清晨才停。",
    "[MASK] is a word that stays whole; e-mail me at no.one@example.org #soon 🙂",
    "Three engineers, two ladders and a very patient goat rebuilt the radio mast on the island "
    "after the storm; nobody could say afterwards who had carried the paint up, or why pink.",
)

SECOND_TEXTS = (
    "Nobody minded the delay.",
    "An empty first half.",
    "",
    "雨停了。",
    "It isn't split by [SEP], is it?",
    "The mast has been pink ever since, and the goat is said to be proud of it.",
)

QUESTIONS = (
    "Who rebuilt the mast?",
    "雨什么时候停？",
    "What colour?",
)

CONTEXTS = (
    TEXTS[5],
    TEXTS[3],
    # Longer than a row of most models.
    " ".join([*[TEXTS[0], TEXTS[2]] * 9, SECOND_TEXTS[5], *[TEXTS[4], TEXTS[3]] * 6]),
)

PROMPTS = ("She opened the umbrella because", "", "他打开了伞，因为")

CHOICES = (
    ("it had begun to rain.", "the soup was cold.", "Tuesday is green."),
    ("Something.", "Nothing at all.", "Zoë."),
    ("下雨了。", "汤凉了。", "星期二是绿色的。"),
)

MASKED = (
    "The [MASK] was late again.",
    "Nothing is hidden here.",
    "[MASK] and [MASK] make a cup of tea.",
    "今天[MASK]气很好。",
)
