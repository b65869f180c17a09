"""The time interval of datasets, as the reference page of `load` imports it."""

from tilebox_celery.datasets.time_interval import TimeInterval, TimeIntervalLike

__all__ = ["TimeInterval", "TimeIntervalLike"]
