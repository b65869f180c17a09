"""The values that datasets take and return, under the name of the first documents."""

from tilebox_celery.datasets.time_interval import TimeInterval, TimeIntervalLike

__all__ = ["TimeInterval", "TimeIntervalLike"]
