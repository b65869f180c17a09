"""The tables of the ledger for reads, as SQLAlchemy Core sees them; `schema/*.sql` makes them."""

from sqlalchemy import (
    UUID,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    literal_column,
)
from sqlalchemy.dialects.postgresql import ARRAY, ENUM, JSONB
from sqlalchemy.types import UserDefinedType

from tilebox_celery.model.states import TaskState


class Char(UserDefinedType[str]):
    """Postgres' one-byte type, which is written with its quotes."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the name of the type."""
        return '"char"'


TIME = DateTime(timezone=True)
TASK_STATE = ENUM(*TaskState, name="task_state", schema="tbx", create_type=False)

# Written into the statements and not passed to them: only so the planner sees that a partial index fits.
GONE = literal_column("'gone'", Text)
READY = literal_column("'r'", Char)
RUNNING = literal_column("'RUNNING'", TASK_STATE)

metadata = MetaData(schema="tbx")

clusters = Table(
    "clusters",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("created_at", TIME, nullable=False),
    Column("deleted_at", TIME),
)

routes = Table(
    "routes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cluster_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("major", Integer, nullable=False),
    Column("minor", Integer, nullable=False),
)

runners = Table(
    "runners",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("cluster_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("code_version", Text, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("wake_by", Text, nullable=False),
    Column("broker_until", TIME),
    Column("routes", ARRAY(Integer), nullable=False),
    Column("slot_count", Integer, nullable=False),
    Column("started_at", TIME, nullable=False),
    Column("seen_at", TIME, nullable=False),
    Column("gone_at", TIME),
)

runner_tasks = Table(
    "runner_tasks",
    metadata,
    Column("runner_id", BigInteger, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("major", Integer, primary_key=True),
    Column("minor", Integer, nullable=False),
)

slots = Table(
    "slots",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("runner_id", BigInteger, nullable=False),
    Column("cluster_id", Integer, nullable=False),
    Column("no", Integer, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("woken_at", TIME),
)

leases = Table(
    "leases",
    metadata,
    Column("slot_id", BigInteger, primary_key=True),
    Column("until", TIME, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("uuid", UUID, nullable=False),
    Column("name", Text, nullable=False),
    Column("trace_parent", Text, nullable=False),
    Column("submitted_at", TIME, nullable=False),
    Column("started_at", TIME),
    Column("finished_at", TIME),
    Column("canceled_at", TIME),
    Column("cancel_reason", Text),
    Column("parking", Boolean, nullable=False),
    Column("canvas", JSONB),
)

job_counts = Table(
    "job_counts",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("shard", SmallInteger, primary_key=True),
    Column("queued", Integer, nullable=False),
    Column("running", Integer, nullable=False),
    Column("computed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("failed_optional", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("run_us", BigInteger, nullable=False),
    Column("cpu_us", BigInteger, nullable=False),
)

job_limits = Table(
    "job_limits",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True),
    Column("key", Text, nullable=False),
    Column("max_running", Integer, nullable=False),
    Column("active", Integer, nullable=False),
)

task_groups = Table(
    "task_groups",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True),
    Column("depth", Integer, nullable=False),
    Column("parent_id", BigInteger),
    Column("parent_group_id", BigInteger),
    Column("family_size", Integer, nullable=False),
    Column("open", Integer, nullable=False),
    Column("blocked_by", Integer, nullable=False),
    Column("has_dependents", Boolean, nullable=False),
    Column("first_task", BigInteger, nullable=False),
    Column("last_task", BigInteger, nullable=False),
)

group_edges = Table(
    "group_edges",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("from_id", BigInteger, primary_key=True),
    Column("to_id", BigInteger, primary_key=True),
)

families = Table(
    "families",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("parent_id", BigInteger, primary_key=True),
    Column("open", Integer, nullable=False),
)

tasks = Table(
    "tasks",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("id", BigInteger, primary_key=True),
    Column("group_id", BigInteger, nullable=False),
    Column("parent_id", BigInteger),
    Column("optional_id", BigInteger),
    Column("limit_id", BigInteger),
    Column("claimed_at", TIME),
    Column("run_after", TIME),
    Column("slot_id", BigInteger),
    Column("claim_id", UUID),
    Column("route_id", Integer, nullable=False),
    Column("depth", Integer, nullable=False),
    Column("state", TASK_STATE, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("max_retries", Integer, nullable=False),
    Column("retries", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("phase", Char, nullable=False),
    Column("optional", Boolean, nullable=False),
    Column("skip_subtree", Boolean, nullable=False),
    Column("input", LargeBinary, nullable=False),
    Column("display", Text),
)

task_results = Table(
    "task_results",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("task_id", BigInteger, primary_key=True),
    Column("result", LargeBinary, nullable=False),
)

task_progress = Table(
    "task_progress",
    metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("task_id", BigInteger, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("total", BigInteger, nullable=False),
    Column("done", BigInteger, nullable=False),
)

attempts = Table(
    "attempts",
    metadata,
    Column("job_id", BigInteger, nullable=False),
    Column("task_id", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("claim_id", UUID, nullable=False),
    Column("runner_id", BigInteger, nullable=False),
    Column("slot_id", BigInteger, nullable=False),
    Column("claimed_at", TIME, nullable=False),
    Column("started_at", TIME),
    Column("finished_at", TIME, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("cpu_us", BigInteger),
    Column("peak_rss", BigInteger),
    Column("error", Text),
)

actions = Table(
    "actions",
    metadata,
    Column("job_id", BigInteger, nullable=False),
    Column("at", TIME, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("detail", Text),
)
