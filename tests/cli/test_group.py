import pytest

from poise.cli.group import in_words_of


@pytest.mark.parametrize(
    ("command", "message", "expected"),
    [
        ("init", "say columns={'user_id': 'NAME'}", "say --columns 'user_id=NAME'"),
        ("data", "with columns={'timestamp': 'NAME'}, '' if none", "with --columns 'timestamp=NAME', '' if none"),
        ("check", "say columns={'user_id': 'NAME'}", 'say user_id = "NAME" under [data.columns] in poise.toml'),
        ("fit", "item_columns={'title': 'N'}", 'title = "N" under [data.item_columns] in poise.toml'),
        (
            "init",
            "columns={'item_id': 'NAME'} and item_columns, or leave out items",
            "--columns 'item_id=NAME' and --item-columns, or leave out items",
        ),
        ("init", "names=['user_id', ...]", "events = ['user_id', ...] under [data.names] in poise.toml"),
        ("init", 'time_format = "%d.%m.%Y"', "--time-format '%d.%m.%Y'"),
        ("check", 'time_format = "%d.%m.%Y"', 'time_format = "%d.%m.%Y"'),
        (None, "nothing to say", "nothing to say"),
    ],
)
def test_advice_is_in_the_words_of_the_command(command, message, expected):
    assert in_words_of(command, message) == expected


def test_an_error_of_a_command_is_in_its_words(poise, shop):
    (shop / "log.csv").write_text("user,item,time\na,i01,noon\nb,i02,dusk\n")
    assert 'timestamp = "NAME" under [data.columns]' in poise("check", "-p", shop).error
    (shop / "poise.toml").unlink()
    assert "--columns 'timestamp=NAME'" in poise("init", shop).error
