"""The Celery settings of every tilebox_celery worker, client and Flower, each with its reason."""

# --- The ledger holds the truth; a message is only a wake-up ------------------------------------------------------
# Results live in the ledger: a second store would cost a round trip per task and could disagree.
result_backend = None
task_ignore_result = True
task_store_errors_even_if_ignored = False
# A wake-up is acknowledged on receipt: there is no visibility timeout and no consumer_timeout for a long task to meet.
task_acks_late = False

# --- What may travel ----------------------------------------------------------------------------------------------
# JSON carries ids and nothing that runs: whoever can write to the broker must not be able to run code in a worker.
accept_content = ["json"]
task_serializer = "json"
event_serializer = "json"

# --- Who takes a message ------------------------------------------------------------------------------------------
# A worker takes a wake-up only when a slot is free, so none waits behind a long task while another runner is idle.
worker_prefetch_multiplier = 1
# Fetch nothing while all slots are busy. Redis and Valkey only: the app turns it off for RabbitMQ, which would warn.
worker_disable_prefetch = True
# One list per queue instead of four: wake-ups have no priorities, and each further key costs time in every BRPOP.
broker_transport_options = {"priority_steps": [0]}

# --- Staying up, and going down -----------------------------------------------------------------------------------
# Start before the broker does: jobs go on through the ledger while it is away.
broker_connection_retry_on_startup = True
# A running task does not need the broker; ending it because a connection broke would only repeat its work.
worker_cancel_long_running_tasks_on_connection_loss = False
# The keeper owns the drain clock; Celery's soft shutdown would sleep in the signal handler and stop the event loop.
worker_soft_shutdown_timeout = 0
# `celery inspect ping` and `celery control shutdown` keep working. Gossip and mingle are options of the worker: off.
worker_enable_remote_control = True

# --- Output -------------------------------------------------------------------------------------------------------
# What a task prints reaches the terminal as it is, not as one log record per argument.
worker_redirect_stdouts = False
# The handlers and formats of the user's own logging stay.
worker_hijack_root_logger = False
# Off unless a worker is started with -E; the wake-ups themselves never send events, the ledger's tasks do.
worker_send_task_events = False

# Left unset on purpose: task_time_limit and task_soft_time_limit would end a whole slot loop (the wake-up task carries
# its own); worker_max_tasks_per_child and worker_max_memory_per_child are the user's, and are honoured between tasks.
