"""SQLAlchemy's own way to run its tests for dialects, against the database that the command line names."""

from sqlalchemy.dialects import registry  # noqa: F401  (loads the dialects before the plugin asks for them)
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: F403
