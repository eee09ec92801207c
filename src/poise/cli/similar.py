from __future__ import annotations

from pathlib import Path

import click

from poise.cli.common import json_option, print_json, print_table, project_option, say


@click.command("similar")
@click.argument("item")
@project_option
@click.option("-k", default=10, show_default=True, help="How many items.")
@click.option("--run", "run_name", help="The run; default: the latest.")
@json_option
def command(item: str, folder: Path, k: int, run_name: str | None, as_json: bool) -> None:
    """Show the items that are most like ITEM, an id or a title."""
    from poise.project import Project

    run = Project(folder, say=say).run(run_name)
    index = run.find_one(item)
    slates = run.pipeline.similar([run.pipeline.item_ids.id(index)], k)
    slate, titles = slates[0], run.titles
    found = [
        {"item_id": item_id, "title": titles[at], "score": score}
        for at, item_id, score in zip(slates.items[0].tolist(), slate.items, slate.scores, strict=False)
    ]
    if as_json:
        print_json({"item_id": run.pipeline.item_ids.id(index), "title": titles[index], "similar": found})
        return
    click.echo(f"\nMost like {titles[index]}:")
    rows = [(str(at), one["title"], one["item_id"], f"{one['score']:.3f}") for at, one in enumerate(found, 1)]
    print_table(("", "item", "id", "score"), rows)
