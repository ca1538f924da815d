"""What is in a demo's database, as SQL: who may log in, and the two tables the sample app reads.

Pure: names in, statements out. Each statement is one line.
"""

ORDERS = 200

# A demo's data need not outlive a power cut; everything else is as in production.
OPTIONS = {
    "listen_addresses": "*",
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "fsync": "off",
    "autovacuum": "off",
    "password_encryption": "scram-sha-256",
}


def bootstrap(user: str, password: str, database: str) -> list[str]:
    """The role and its database."""
    return [
        f"CREATE ROLE {identifier(user)} LOGIN PASSWORD {literal(password)};",
        f"CREATE DATABASE {identifier(database)} OWNER {identifier(user)};",
    ]


def tables(owner: str, environment: str) -> list[str]:
    """One table that tells the environments apart, and one for the app to read."""
    return [
        "CREATE TABLE environment (name text NOT NULL);",
        f"INSERT INTO environment VALUES ({literal(environment)});",
        "CREATE TABLE orders (id integer PRIMARY KEY, item text NOT NULL, amount integer NOT NULL);",
        f"INSERT INTO orders SELECT n, 'item ' || n, n * 7 % 100 FROM generate_series(1, {ORDERS}) AS n;",
        *[f"ALTER TABLE {table} OWNER TO {identifier(owner)};" for table in ("environment", "orders")],
    ]


def identifier(name: str) -> str:
    """`name` quoted as an SQL identifier (SQL:2016 5.2)."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` quoted as an SQL string, on one line."""
    return "'" + text.replace("'", "''").replace("\n", " ") + "'"
