import pytest

from poise.data.languages import language_of

INDONESIAN = ("Taman kota yang indah", "Pantai ini sangat cocok untuk keluarga", "Museum wayang", "Gunung itu tinggi")
ENGLISH = ("A lamp of brass for the desk", "The desk is made of oak", "Chair in green felt", "Shelf with three drawers")
GERMAN = ("Eine Lampe aus Messing", "Der Schreibtisch ist aus Eiche", "Stuhl mit grünem Filz", "Regal mit drei Fächern")


def _many(texts):
    return [f"{text} {other}" for text in texts for other in texts]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (_many(INDONESIAN), "Indonesian"),
        (_many(ENGLISH), "English"),
        (_many(GERMAN), "German"),
        (["轻便折叠雨伞", "红楼梦"], "Chinese"),
        (["a", None, ""], None),
        (["Radio 7"] * 500, None),
        ([], None),
    ],
)
def test_the_language_of_texts_is_told_by_more_than_their_letters(texts, expected):
    assert language_of(texts) == expected
