"""A small PostgreSQL with one database in it, for the demos: `python -m podmates.demo_database`."""
