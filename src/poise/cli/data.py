from __future__ import annotations

import click

from poise.cli.common import json_option, print_json, print_table


@click.group("data")
def command() -> None:
    """Data sets that Poise knows by name: list them, fetch them."""


@command.command("list")
@json_option
def list_entries(as_json: bool) -> None:
    """List the data sets with their size and licence."""
    from poise.data import catalogue

    entries = catalogue.entries()
    if as_json:
        print_json([{"name": one.name, "size": one.size, "what": one.what, "licence": one.licence} for one in entries])
        return
    print_table(("name", "what"), [(one.name, f"{one.what}\n{one.size}") for one in entries])
    for licence in dict.fromkeys(one.licence for one in entries):
        click.echo(f"Licence: {licence}")


@command.command("fetch")
@click.argument("name")
@json_option
def fetch(name: str, as_json: bool) -> None:
    """Fetch a data set into the user's cache, check it, and say what is in it."""
    from poise.data import catalogue

    data = catalogue.load(name)
    found = {"name": data.name, "events": data.n_events, "users": data.n_users, "items": data.n_items}
    if as_json:
        print_json({**found, "item_columns": data.items.columns, "user_columns": data.users.columns})
        return
    click.echo(f"{data.name}: {data.n_events:,} events, {data.n_users:,} users, {data.n_items:,} items")
    click.echo(f"columns of items: {', '.join(data.items.columns)}")
    click.echo(f"columns of users: {', '.join(data.users.columns)}")
    click.echo(f'use it in poise.toml:  [data]  dataset = "{name}"')
