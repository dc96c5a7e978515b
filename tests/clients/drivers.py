"""Puts the same questions to a database through every driver, and prints what each answered: one line of JSON an answer.

Run twice, directly and through a portal, the two outputs must be the same text. Where to connect is in the environment, as
for libpq (PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD, PGSSLMODE, PGSSLROOTCERT).
"""

import asyncio
import hashlib
import io
import json
import os
import ssl
import sys
import threading

import asyncpg
import pg8000.dbapi
import psycopg
import psycopg2
import sqlalchemy

TYPES = """select 42::int2, 9007199254740993::int8, 1.10::numeric, 'Zoë ☃ ''quoted'''::text, '\\x00ff'::bytea,
  timestamp '2013-07-04 12:30:00.123456', date '2013-07-04', interval '90 minutes', true, null::int,
  array[1, null, 3], '{"a": [1, 2]}'::json, 'NaN'::float8"""
BIG = 20_000_000


def said(driver, question, answer):
    print(json.dumps([driver, question, answer], default=shown, ensure_ascii=False), flush=True)


def shown(value):
    return repr(bytes(value) if isinstance(value, memoryview) else value)


def digest(data):
    return [len(data), hashlib.sha256(data).hexdigest()]


def state(error):
    """SQLSTATE, wherever the driver keeps it."""
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    return code or error.args[0].get("C")


def fails(connection, sql):
    cursor = connection.cursor()
    try:
        cursor.execute(sql)
    except Exception as error:
        connection.rollback()
        return state(error)
    return "no error"


def ask(driver, connection, mark):
    """What every driver of the DB API can do."""
    cursor = connection.cursor()

    def rows(sql, values=()):
        cursor.execute(sql, values)
        return [list(row) for row in cursor.fetchall()]

    said(driver, "types", rows(TYPES))
    odd = "it's \\ \n $1 % ☃"
    said(driver, "parameters", rows(f"select {mark}::text, {mark}::int + 1", (odd, 41)))
    said(driver, "again and again", [rows(f"select {mark}::int * 2", (n,))[0][0] for n in range(200)])
    said(driver, "many rows", digest(repr(rows("select n, md5(n::text) from generate_series(1, 50000) n")).encode()))
    said(driver, "a big value", digest(rows(f"select repeat('x', {BIG})")[0][0].encode()))
    said(driver, "a big parameter", rows(f"select length({mark}::text)", ("y" * BIG,)))
    cursor.execute("create temp table kept (n int primary key)")
    connection.commit()
    cursor.executemany(f"insert into kept values ({mark})", [(n,) for n in range(500)])
    connection.rollback()
    said(driver, "rolled back", rows("select count(*) from kept"))
    cursor.executemany(f"insert into kept values ({mark})", [(n,) for n in range(500)])
    connection.commit()
    said(driver, "committed", rows("select count(*), sum(n) from kept"))
    said(driver, "an error", fails(connection, "select 1/0"))
    said(driver, "a broken rule", fails(connection, "insert into kept values (1)"))
    said(driver, "no such table", fails(connection, "select * from nowhere"))
    said(driver, "too slow", fails(connection, "set local statement_timeout = 200; select pg_sleep(30)"))
    said(driver, "and after all that", rows("select count(*) from kept"))
    connection.rollback()


def with_psycopg():
    with psycopg.connect() as connection:
        ask("psycopg", connection, "%s")
        cursor = connection.cursor()
        with cursor.copy("copy kept to stdout") as copy:
            said("psycopg", "copy out", digest(b"".join(bytes(block) for block in copy)))
        with cursor.copy("copy kept from stdin") as copy:
            for n in range(1000, 60_000):
                copy.write_row((n,))
        said("psycopg", "copy in", cursor.execute("select count(*), sum(n) from kept").fetchone())
        with connection.pipeline():
            asked = [connection.execute("select %s::int", (n,)) for n in range(1000)]
        said("psycopg", "pipeline", sum(one.fetchone()[0] for one in asked))
        connection.prepare_threshold = 0
        prepared = [connection.execute("select %b::int", (n,)).fetchone()[0] for n in range(50)]
        said("psycopg", "prepared, binary", prepared)
        named = connection.cursor("a_cursor_of_the_server")
        named.execute("select generate_series(1, 10000)")
        named.itersize = 100
        said("psycopg", "a cursor of the server", sum(row[0] for row in named))
        connection.commit()
        threading.Timer(0.5, connection.cancel).start()
        said("psycopg", "cancelled", fails(connection, "select pg_sleep(30)"))
        connection.commit()
        connection.autocommit = True
        connection.execute("listen news")
        connection.execute("notify news, 'read me'")
        told = next(connection.notifies(timeout=10))
        said("psycopg", "notified", [told.channel, told.payload])


def with_psycopg2():
    connection = psycopg2.connect("")
    ask("psycopg2", connection, "%s")
    cursor = connection.cursor()
    out = io.BytesIO()
    cursor.copy_expert("copy kept to stdout", out)
    said("psycopg2", "copy out", digest(out.getvalue()))
    cursor.copy_expert("copy kept from stdin", io.StringIO("".join(f"{n}\n" for n in range(1000, 60_000))))
    cursor.execute("select count(*), sum(n) from kept")
    said("psycopg2", "copy in", cursor.fetchone())
    cursor.execute("select 1; select 2; select 3")
    said("psycopg2", "three in one", cursor.fetchall())
    cursor.execute("do $$ begin raise notice 'look here'; end $$")
    said("psycopg2", "notices", connection.notices)
    threading.Timer(0.5, connection.cancel).start()
    said("psycopg2", "cancelled", fails(connection, "select pg_sleep(30)"))
    connection.close()


def with_pg8000():
    """It reads nothing from the environment."""
    roots, context = os.environ.get("PGSSLROOTCERT"), None
    if roots:
        context = ssl.create_default_context(cafile=roots)
    place = {name: os.environ.get(f"PG{name.upper()}") for name in ("host", "user", "database", "password")}
    connection = pg8000.dbapi.connect(port=int(os.environ["PGPORT"]), ssl_context=context, **place)
    ask("pg8000", connection, "%s")
    out = io.BytesIO()
    connection.cursor().execute("copy kept to stdout", stream=out)
    said("pg8000", "copy out", digest(out.getvalue()))
    connection.close()


async def with_asyncpg():
    connection = await asyncpg.connect()

    def answered(question, answer):
        said("asyncpg", question, answer)

    answered("types", list(await connection.fetchrow(TYPES)))
    prepared = await connection.prepare("select $1::int * 2")
    answered("prepared", [await prepared.fetchval(n) for n in range(200)])
    await connection.execute("create temp table kept (n int primary key)")
    await connection.executemany("insert into kept values ($1)", [(n,) for n in range(500)])
    await connection.copy_records_to_table("kept", records=[(n,) for n in range(1000, 60_000)])
    answered("copy in", list(await connection.fetchrow("select count(*), sum(n) from kept")))
    out = io.BytesIO()
    await connection.copy_from_query("select * from kept order by n", output=out)
    answered("copy out", digest(out.getvalue()))
    answered("a big value", digest((await connection.fetchval(f"select repeat('x', {BIG})")).encode()))
    async with connection.transaction():
        answered("a cursor", sum([row["n"] async for row in connection.cursor("select n from kept")]))
    for sql in ("select 1/0", "insert into kept values (1)", "select * from nowhere"):
        try:
            await connection.execute(sql)
        except asyncpg.PostgresError as error:
            answered(sql, error.sqlstate)
    try:
        await connection.execute("select pg_sleep(30)", timeout=0.5)
    except TimeoutError:
        answered("cancelled", "timed out")
    heard = asyncio.get_running_loop().create_future()
    await connection.add_listener("news", lambda *told: heard.set_result(told[2:]))
    await connection.execute("notify news, 'read me'")
    answered("notified", list(await asyncio.wait_for(heard, 10)))
    await connection.close()
    pool = await asyncpg.create_pool(min_size=4, max_size=4)
    async with pool:
        many = [pool.fetchval("select $1::int from pg_sleep(0.01)", n) for n in range(100)]
        answered("a pool", await asyncio.gather(*many))


def with_sqlalchemy():
    for dialect in ("psycopg", "psycopg2"):
        engine = sqlalchemy.create_engine(f"postgresql+{dialect}://", pool_size=3)
        numbers = sqlalchemy.Table(
            "numbers",
            sqlalchemy.MetaData(),
            sqlalchemy.Column("n", sqlalchemy.Integer, primary_key=True),
            sqlalchemy.Column("word", sqlalchemy.Text),
            prefixes=["temporary"],
        )
        with engine.begin() as connection:
            numbers.create(connection)
            connection.execute(numbers.insert(), [{"n": n, "word": f"w{n}"} for n in range(1000)])
            some = sqlalchemy.select(numbers.c.word).where(numbers.c.n.in_([1, 500, 999])).order_by(numbers.c.n)
            said(f"sqlalchemy {dialect}", "rows", list(connection.scalars(some)))
            columns = sqlalchemy.inspect(connection).get_columns("numbers")
            said(f"sqlalchemy {dialect}", "reflected", [(one["name"], repr(one["type"])) for one in columns])
        engine.dispose()


def main():
    with_psycopg()
    with_psycopg2()
    with_pg8000()
    asyncio.run(with_asyncpg())
    with_sqlalchemy()
    said("all", "done", sys.version_info[:2])


if __name__ == "__main__":
    main()
