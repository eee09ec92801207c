"""Many rows of a SELECT, the quickest way that each database has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import Connection, Select

_AT_ONCE = 50_000  # rows


def stream_rows(connection: Connection, question: Select[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield rows as the driver gives them, many at a time, without an object for each."""
    compiled = question.compile(connection)
    values = compiled.params
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        cursor, parameters = driver.cursor(), [values[name] for name in compiled.positiontup or ()]
    else:  # a cursor with a name stays with the server and hands over only what is fetched
        cursor, parameters = driver.cursor("poise_rows"), values
    with closing(cursor):
        cursor.execute(str(compiled), parameters)
        while part := cursor.fetchmany(_AT_ONCE):
            yield part
