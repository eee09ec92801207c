from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from poise.cli.common import at_most, json_option, print_json, print_table, project_option, say

if TYPE_CHECKING:
    from poise.options.likeness import SimilarBy


@click.command("similar")
@click.argument("item")
@project_option
@click.option("-k", default=10, show_default=True, help="How many items.")
@click.option(
    "--by",
    type=click.Choice(("content", "behaviour", "both")),
    help="What to compare: what items are, what people did with them, or both; default: what is known of ITEM.",
)
@click.option("--run", "run_name", help="The run; default: the latest.")
@json_option
def command(item: str, folder: Path, k: int, by: SimilarBy | None, run_name: str | None, as_json: bool) -> None:
    """Show the items that are most like ITEM, an id or a title."""
    from poise.project import Project

    run = Project(folder, say=say).run(run_name)
    index = run.find_one(item)
    item_id = run.pipeline.item_ids.id(index)
    k = at_most(k, len(run.pipeline.item_ids) - 1)
    slates, likeness = run.pipeline.similar([item_id], k, by=by), run.pipeline.likeness(item_id, by)
    slate, titles = slates[0], run.titles
    similar_items = [
        {"item_id": item_id, "title": titles[neighbour], "score": score}
        for neighbour, item_id, score in zip(slates.items[0].tolist(), slate.items, slate.scores, strict=False)
    ]
    if as_json:
        print_json(
            {
                "item_id": item_id,
                "title": titles[index],
                "by": likeness.by,
                "events": likeness.events,
                "certainty": likeness.certainty,
                "similar": similar_items,
            }
        )
        return
    how = f", {likeness.text}" if likeness.text else ""
    click.echo(f"\nMost like {titles[index]}{how}:")
    rows = [
        (str(rank), entry["title"], entry["item_id"], f"{entry['score']:.3f}")
        for rank, entry in enumerate(similar_items, 1)
    ]
    print_table(("", "item", "id", "score"), rows)
