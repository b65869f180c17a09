"""Talk to Postgres, ignorant of jobs: connections, migrations, installed functions."""
