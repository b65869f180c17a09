"""Time-series datasets: satellite metadata in Postgres, loaded as xarray; loaded on first use."""
