"""Many rows in one statement, in the quickest way for each database."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import ARRAY, Connection, Table, bindparam, func, select
from sqlalchemy.dialects import postgresql, sqlite


class BulkInsert:
    """An INSERT of rows, each a tuple.

    Args:
        table: to insert into.
        columns: the names of the columns, in the order of the tuples and of the table.
        replaced: the columns to overwrite where a row with the same ``key`` exists; if none, rows that exist by any
            unique index are left as they are.
        key: the columns of a unique index; where ``replaced`` is given, they must differ between the rows of a call.
    """

    def __init__(
        self, table: Table, columns: Sequence[str], *, replaced: Sequence[str] = (), key: Sequence[str] = ()
    ) -> None:
        self._table = table
        self._columns = columns
        self._replaced = replaced
        self._key = key

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
        """Insert ``rows`` and return how many of them were inserted or overwritten."""
        if not rows:
            return 0
        if connection.dialect.name == "sqlite":  # the driver loops in C; SQLAlchemy would look at each row
            return connection.exec_driver_sql(self._one_by_one, list(rows)).rowcount
        arrays = dict(zip(self._columns, map(list, zip(*rows, strict=True)), strict=True))
        return connection.execute(self._from_arrays, arrays).rowcount

    @cached_property
    def _one_by_one(self) -> str:
        marks: dict[str, Any] = {name: bindparam(name) for name in self._columns}
        statement = self._on_conflict(sqlite.insert(self._table).values(marks))
        compiled = statement.compile(dialect=sqlite.dialect(paramstyle="qmark"))
        assert compiled.positiontup == list(self._columns)
        return str(compiled)

    @cached_property
    def _from_arrays(self) -> Any:
        arrays = [
            func.unnest(bindparam(name, type_=ARRAY(self._table.c[name].type))).label(name) for name in self._columns
        ]
        statement = postgresql.insert(self._table).from_select(list(self._columns), select(*arrays))
        return self._on_conflict(statement).execution_options(preserve_rowcount=True)

    def _on_conflict(self, statement: Any) -> Any:
        if not self._replaced:
            return statement.on_conflict_do_nothing()
        new = {name: statement.excluded[name] for name in self._replaced}
        return statement.on_conflict_do_update(index_elements=self._key, set_=new)
