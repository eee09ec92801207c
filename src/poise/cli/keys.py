from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from poise.cli.common import json_option, print_json, print_table, project_option
from poise.errors import UsageError

_STORE = click.option("--store", help="The live log, if not the one that poise.toml names.")


@click.group("keys")
def command() -> None:
    """API keys of the server: make, list, revoke."""


@command.command("create")
@project_option
@_STORE
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(["read", "write", "admin"]),
    multiple=True,
    required=True,
    help="What it allows: read (recommendations), write (events, items, users), admin (erasure, other runs).",
)
@click.option("--name", default="", help="What to call it.")
@json_option
def create(folder: Path, store: str | None, scopes: tuple[str, ...], name: str, as_json: bool) -> None:
    """Make a key. It is shown once, and kept as a hash."""
    from poise.project import Project

    opened = Project(folder).open_store(store)
    try:
        key, token = opened.create_key(name, tuple(dict.fromkeys(scopes)))
        opened.add_audit("command line", "create key", {"key": key.key_id, "scopes": list(key.scopes)}).result()
    finally:
        opened.close()
    if as_json:
        print_json({"key_id": key.key_id, "name": key.name, "scopes": list(key.scopes), "token": token})
        return
    click.echo(token)
    click.echo("keep it: it is not shown again. Requests carry it as 'Authorization: Bearer KEY'.", err=True)
    click.echo("A server that was started without keys stays open to all until it is started again.", err=True)


@command.command("list")
@project_option
@_STORE
@json_option
def list_(folder: Path, store: str | None, as_json: bool) -> None:
    """Show all keys, without their secrets."""
    from poise.project import Project

    opened = Project(folder).open_store(store)
    try:
        keys = opened.keys()
    finally:
        opened.close()
    if as_json:
        print_json(
            [
                {"key_id": key.key_id, "name": key.name, "scopes": list(key.scopes), "created": key.created}
                | {"revoked": key.revoked}
                for key in keys
            ]
        )
        return
    if not keys:
        click.echo("there are no keys; make one with 'poise keys create --scope read'")
        return
    rows = [
        (key.key_id, key.name, ", ".join(key.scopes), _day(key.created), _day(key.revoked) if key.revoked else "")
        for key in keys
    ]
    print_table(("key", "name", "scopes", "made", "revoked"), rows)


@command.command("revoke")
@project_option
@_STORE
@click.argument("key_id")
def revoke(folder: Path, store: str | None, key_id: str) -> None:
    """Make a key invalid; servers refuse it within five seconds."""
    from poise.project import Project

    opened = Project(folder).open_store(store)
    try:
        if not opened.revoke_key(key_id):
            raise UsageError(f"there is no valid key {key_id!r}; 'poise keys list' shows them")
        opened.add_audit("command line", "revoke key", {"key": key_id}).result()
    finally:
        opened.close()
    click.echo(f"revoked {key_id}")


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%d %H:%M")
