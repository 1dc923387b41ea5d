"""Settings: `local` for make run, `test` for the tests, `production` behind a proxy."""
