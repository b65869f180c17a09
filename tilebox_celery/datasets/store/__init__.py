"""Keep datapoints in Postgres: typed rows as the truth, columnar segments of them for big loads."""
