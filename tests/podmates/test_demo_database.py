"""What is put into a demo's database, and that names and passwords cannot break out of it."""

from podmates.demo_database.contents import bootstrap, identifier, literal, tables


def test_names_and_passwords_are_quoted() -> None:
    assert identifier('a"b') == '"a""b"'
    assert literal("it's\nso") == "'it''s so'"
    assert bootstrap("u", "p'w", "d") == [
        "CREATE ROLE \"u\" LOGIN PASSWORD 'p''w';",
        'CREATE DATABASE "d" OWNER "u";',
    ]


def test_every_statement_is_one_line() -> None:
    statements = [*bootstrap("u", "p", "d"), *tables("u", "dev")]
    assert all("\n" not in statement and statement.endswith(";") for statement in statements)
    assert "INSERT INTO environment VALUES ('dev');" in statements
