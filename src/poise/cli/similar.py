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
    similar_items = [
        {"item_id": item_id, "title": titles[neighbour], "score": score}
        for neighbour, item_id, score in zip(slates.items[0].tolist(), slate.items, slate.scores, strict=False)
    ]
    if as_json:
        print_json({"item_id": run.pipeline.item_ids.id(index), "title": titles[index], "similar": similar_items})
        return
    click.echo(f"\nMost like {titles[index]}:")
    rows = [
        (str(rank), entry["title"], entry["item_id"], f"{entry['score']:.3f}")
        for rank, entry in enumerate(similar_items, 1)
    ]
    print_table(("", "item", "id", "score"), rows)
