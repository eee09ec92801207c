from __future__ import annotations

from pathlib import Path

import click

from poise.cli.common import json_option, print_json, print_remark, project_option, report_option, say

_MARKS = {"good": ("green", "good"), "plain": (None, ""), "warning": ("yellow", "look"), "bad": ("red", "bad")}


@click.command("check")
@project_option
@report_option("check.html")
@json_option
def command(folder: Path, report_path: Path | None, as_json: bool) -> None:
    """Describe the data in plain words: its content, its problems, and what it is enough for."""
    from poise.data.doctor import examine
    from poise.data.doctor.page import report
    from poise.project import Project

    project = Project(folder, say=say)
    data = project.read()
    examination = examine(data)
    language = project.language_warning(data)
    notes = [] if data.quarantine is None else data.quarantine.notes
    if as_json:
        print_json({**examination.to_dict(), "encoder_warning": language, "assumed": notes})
        return
    click.echo(f"{data.n_events:,} events of {data.n_users:,} users with {data.n_items:,} items")
    for verdict in examination.verdicts:
        if verdict.topic == "language":  # the project knows which encoder it has, and says so below
            continue
        colour, mark = _MARKS[verdict.tone]
        print_remark(mark, colour, verdict.title, f"{verdict.reason} {verdict.advice}".strip())
    if language:
        print_remark("look", "yellow", language)
    if notes:
        click.echo("How the files were read; poise.toml may set it otherwise (item_kinds, item_separators, encoding):")
    for note in notes:
        click.echo(f"     {note}")
    page = report(examination, data)
    if language:
        page.heading("The language of the catalogue")
        page.text(language, "warning")
    if notes:
        page.heading("How the files were read")
        for note in notes:
            page.text(note)
    path = report_path or project.folder / "check.html"
    page.write(path)
    click.echo(f"report: {path}")
