"""The suite that SQLAlchemy ships for whoever writes a dialect."""

from sqlalchemy.testing.suite import *  # noqa: F403
