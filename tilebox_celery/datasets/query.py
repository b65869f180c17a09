"""The values of a query, under the name of today's documents."""

from tilebox_celery.datasets.filters import field
from tilebox_celery.datasets.time_interval import TimeInterval, TimeIntervalLike

__all__ = ["TimeInterval", "TimeIntervalLike", "field"]
