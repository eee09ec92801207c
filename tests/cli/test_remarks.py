from __future__ import annotations

import sys

import click

from poise.cli.common import print_remark

TEXT = "There are 713 events, and each of them has a long story that does not fit on one line of a terminal."


def test_a_remark_is_broken_between_words_in_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    print_remark("look", "yellow", "Few events", TEXT)
    lines = click.unstyle(capsys.readouterr().out).splitlines()
    assert lines[0] == "look Few events"
    assert len(lines) > 3
    assert all(line.startswith("     ") and len(line) <= 40 for line in lines[1:])
    assert " ".join(line.strip() for line in lines[1:]) == TEXT


def test_a_remark_is_one_line_where_programs_read_it(capsys):
    print_remark("bad", "red", "No events", "Look at the files.")
    print_remark("look", "yellow", "The catalogue is in Chinese.")
    assert capsys.readouterr().out == "bad  No events. Look at the files.\nlook The catalogue is in Chinese.\n"
