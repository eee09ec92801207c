"""Items and users: put, patched, deleted, paged through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select, update

from poise.store.records import Item, User
from poise.store.sql.database import Database
from poise.store.sql.rows import (
    INSERT_ITEMS,
    INSERT_USERS,
    ITEM_COLUMNS,
    USER_COLUMNS,
    from_item,
    from_user,
    to_item,
    to_user,
    without_nulls,
)
from poise.store.sql.tables import items, users
from poise.store.writer import Transaction

_PAGE = 2_000


def put_items(transaction: Transaction, batch: Sequence[Item]) -> int:
    """Insert items, or replace those that exist; one that was deleted is restored at its old place."""
    last = {item.item_id: item for item in batch}
    rows = [from_item(item, transaction.project, transaction.version) for item in last.values()]
    INSERT_ITEMS.run(transaction.connection, rows)
    return len(batch)


def put_users(transaction: Transaction, batch: Sequence[User]) -> int:
    """Insert users, or replace those that exist."""
    last = {user.user_id: user for user in batch}
    rows = [from_user(user, transaction.project, transaction.version) for user in last.values()]
    INSERT_USERS.run(transaction.connection, rows)
    return len(batch)


def patch_item(
    transaction: Transaction, item_id: str, content: Mapping[str, Any] | None, available: bool | None
) -> Item | None:
    """Merge ``content`` into an item's, a null removing its key; None if there is no such item."""
    old = item(transaction.connection, transaction.project, item_id)
    if old is None:
        return None
    new = Item(
        item_id,
        without_nulls({**old.content, **(content or {})}),
        old.available if available is None else available,
    )
    put_items(transaction, [new])
    return new


def patch_user(transaction: Transaction, user_id: str, content: Mapping[str, Any]) -> User | None:
    """Merge ``content`` into a user's, a null removing its key; None if there is no such user."""
    old = user(transaction.connection, transaction.project, user_id)
    if old is None:
        return None
    new = User(user_id, without_nulls({**old.content, **content}))
    put_users(transaction, [new])
    return new


def delete_item(transaction: Transaction, item_id: str) -> bool:
    """Mark an item as deleted; its events and content stay. False if there is no such item."""
    deleted = transaction.connection.execute(
        update(items)
        .where(items.c.project == transaction.project, items.c.item_id == item_id, items.c.deleted.is_(False))
        .values(deleted=True, version=transaction.version)
    )
    return deleted.rowcount > 0


def item(connection: Connection, project: int, item_id: str) -> Item | None:
    """Return an item that is not deleted."""
    query = select(*ITEM_COLUMNS).where(
        items.c.project == project, items.c.item_id == item_id, items.c.deleted.is_(False)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else to_item(row)


def user(connection: Connection, project: int, user_id: str) -> User | None:
    """Return a user; None if there is none."""
    row = connection.execute(
        select(*USER_COLUMNS).where(users.c.project == project, users.c.user_id == user_id)
    ).one_or_none()
    return None if row is None else to_user(row)


def items_page(connection: Connection, project: int, after: str | None, limit: int) -> list[Item]:
    """Return items that are not deleted, in the order of their ids, from the one behind ``after`` on."""
    page = select(*ITEM_COLUMNS).where(items.c.project == project, items.c.deleted.is_(False))
    if after is not None:
        page = page.where(items.c.item_id > after)
    return [to_item(row) for row in connection.execute(page.order_by(items.c.item_id).limit(limit))]


def users_page(connection: Connection, project: int, after: str | None, limit: int) -> list[User]:
    """Return users in the order of their ids, from the one behind ``after`` on."""
    page = select(*USER_COLUMNS).where(users.c.project == project)
    if after is not None:
        page = page.where(users.c.user_id > after)
    return [to_user(row) for row in connection.execute(page.order_by(users.c.user_id).limit(limit))]


def all_items(database: Database, project: int) -> Iterator[Item]:
    """Yield the items that are not deleted, in the order of the vocabulary."""
    last = -1
    while True:
        page = (
            select(items.c.id, *ITEM_COLUMNS)
            .where(items.c.project == project, items.c.id > last, items.c.deleted.is_(False))
            .order_by(items.c.id)
            .limit(_PAGE)
        )
        rows = database.read(lambda connection, page=page: connection.execute(page).all())  # type: ignore[misc]
        for row in rows:
            yield to_item(row[1:])
        if len(rows) < _PAGE:
            return
        last = rows[-1][0]


def deleted_items(connection: Connection, project: int) -> list[str]:
    """Return the ids of the items that were deleted."""
    return list(
        connection.scalars(select(items.c.item_id).where(items.c.project == project, items.c.deleted.is_(True)))
    )
