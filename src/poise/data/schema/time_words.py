"""Words that stand in dates and times, in the languages of many logs, and how text is made plain before it is read."""

from __future__ import annotations

import unicodedata

import polars as pl

# January to December; forms of one month are parted by blanks. Accents do not count, nor does a full stop behind.
_MONTHS = (
    "january jan januar janner januari janvier janv enero ene gennaio gen janeiro ocak oca styczen stycznia sty "
    "январь января янв sijecnja leden ledna sichnia січня січень tammikuu tammikuuta ianuarie ian januar",
    "february feb februar februari fevrier fevr fev febrero febbraio fevereiro subat sub luty lutego lut "
    "февраль февраля фев февр unor unora лютого лютий helmikuu helmikuuta februarie",
    "march mar marz maerz mrz mars marzo marco maart mrt maret mart marzec marca брезня март марта мар brezen brezna "
    "березня березень maaliskuu maaliskuuta martie marts",
    "april apr avril avr abril abr aprile nisan nis kwiecien kwietnia kwi апрель апреля апр duben dubna квітня "
    "квітень huhtikuu huhtikuuta aprilie",
    "may mai mayo maggio mag maio mei maj mayis mayi maja май мая kveten kvetna травня травень toukokuu toukokuuta",
    "june jun juni juin junio giugno giu junho haziran haz czerwiec czerwca cze июнь июня июн cerven cervna червня "
    "червень kesakuu kesakuuta iunie iun",
    "july jul juli juillet juil julio luglio lug julho temmuz tem lipiec lipca lip июль июля июл cervenec cervence "
    "липня липень heinakuu heinakuuta iulie iul",
    "august aug aout agosto ago agustus agu agt augustus agustos augusti sierpien sierpnia sie август августа авг "
    "srpen srpna серпня серпень elokuu elokuuta",
    "september sep sept septembre septiembre settembre set setembro eylul eyl wrzesien wrzesnia wrz сентябрь сентября "
    "сен сент zari вересня вересень syyskuu syyskuuta septembrie",
    "october oct oktober okt octobre octubre ottobre ott outubro out ekim eki pazdziernik pazdziernika paz октябрь "
    "октября окт rijen rijna жовтня жовтень lokakuu lokakuuta octombrie",
    "november nov novembre noviembre novembro kasim kas listopad listopada lis ноябрь ноября ноя нояб листопада "
    "marraskuu marraskuuta noiembrie",
    "december dec dezember dez decembre diciembre dic dicembre dezembro desember des aralik ara grudzien grudnia gru "
    "декабрь декабря дек prosinec prosince грудня грудень joulukuu joulukuuta decembrie",
)
_WEEKDAYS = (
    "monday mon tuesday tue tues wednesday wed weds thursday thu thur thurs friday fri saturday sat sunday sun "
    "montag mo dienstag di mittwoch mi donnerstag do freitag fr samstag sonnabend sa sonntag so "
    "lundi lun mardi mercredi mer jeudi jeu vendredi ven samedi sam dimanche dim "
    "lunes martes miercoles mie jueves jue viernes vie sabado sab domingo dom "
    "lunedi martedi mercoledi giovedi gio venerdi sabato domenica "
    "segunda segunda-feira seg terca terca-feira ter quarta quarta-feira qua quinta quinta-feira qui sexta "
    "sexta-feira sex maandag ma dinsdag woensdag wo donderdag vrijdag vr zaterdag za zondag zo "
    "понедельник пн вторник вт среда ср четверг чт пятница пт суббота сб воскресенье вс "
    "senin sen selasa sel rabu rab kamis kam jumat jum sabtu minggu min "
    "pazartesi pzt sali carsamba car persembe per cuma cum cumartesi cmt pazar "
    "poniedzialek pon wtorek wt sroda sr czwartek czw piatek pt sobota sob niedziela ndz nie"
)
_FILLERS = (
    "de del di of the at um uhr a las as alle ore om uur klo kl pukul pkl saat godz godzina г года год den le el il on "
    "dne"
)
_EAST_ASIAN = (
    (r"(?:星期|周|週|禮拜|礼拜)[一二三四五六日天]|[月火水木金土日]曜日?|[월화수목금토일]요일", " "),
    (r"上午|午前|오전|凌晨|早上", " am "),
    (r"下午|午後|오후|晚上|傍晚", " pm "),
    (r"(\d)\s*[年년]\s*(\d)", "$1-$2"),
    (r"(\d)\s*[月월]\s*(\d)", "$1-$2"),
    (r"(\d)\s*[日号號일]", "$1 "),
    (r"(\d)\s*[时時点點시]\s*(\D|$)", "$1:00$2"),
    (r"(\d)\s*[时時点點시]\s*", "$1:"),
    (r"(\d)\s*[分분]\s*(\d)", "$1:$2"),
    (r"(\d)\s*[分분秒초]", "$1 "),
)


def _plain(word: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign))


MONTH_OF = {_plain(name): str(month) for month, names in enumerate(_MONTHS, start=1) for name in names.split()}
"""The number of the month, as text, by its plain name."""


def _alternatives(words: list[str]) -> str:
    return "|".join(sorted(dict.fromkeys(words), key=lambda word: (-len(word), word)))


MONTH = rf"(^|[^\p{{L}}])({_alternatives(list(MONTH_OF))})\.?([^\p{{L}}]|$)"
"""A month's plain name, its second group; what stands before and behind it are the others."""
_TUESDAY = r"^mar\.?,?\s+(\d{1,2}\s*[./-]?\s*(?:[\p{L}]{3,}|\d{1,2}\s*[./-]\s*\d{2,4}).*\d)$"
_WORDS = (
    (rf"(^|\s)(?:{_alternatives(_plain(_WEEKDAYS).split())})\b\.?", "$1"),
    (rf"(^|[\s\d,])(?:{_alternatives(_FILLERS.split())})\b\.?", "$1 "),
)
_HALVES = ((r"(\d|\s)([ap])\.?\s?m\b\.?", "$1 ${2}m "),)


def plain(text: pl.Expr) -> pl.Expr:
    """Return text in small letters without accents, week days and fillers; East Asian dates have signs for words."""
    text = text.str.normalize("NFKC").str.to_lowercase()
    for pattern, replacement in _EAST_ASIAN:
        text = text.str.replace_all(pattern, replacement)
    text = text.str.normalize("NFKD").str.replace_all(r"\p{Mn}", "").str.replace_all("ı", "i", literal=True)
    # Tuesday is "mar" in three languages: a week day where a whole date follows, March where none does
    text = text.str.replace(_TUESDAY, "$1")
    for pattern, replacement in (*_HALVES, *_WORDS):
        text = text.str.replace_all(pattern, replacement)
    return text
