"""The Flower settings, each with its reason: look, do not touch."""

# Loopback only: Flower has no login of its own. Open it further only with --basic_auth or behind a proxy that asks.
address = "127.0.0.1"
# Nobody can stop workers, revoke or send tasks from a browser; jobs are steered through the ledger.
read_only = True
# No history on disk: it would be a pickle, which runs code for whoever can write it, and the ledger is the history.
persistent = False
# Workers that left are shown for a minute and not for ever; each restart of a worker is a new name.
purge_offline_workers = 60
# Half of what Flower would keep in memory; older tasks are in the ledger.
max_tasks = 50_000
# What a task was given is not hidden here, for Flower's API would show it all the same: events carry no inputs at all
# unless TILEBOX_CELERY_EVENT_ARGS says so.
