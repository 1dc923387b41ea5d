"""PostgreSQL and Redis from wheels, and the supervisor of `make run`.

For development and tests only: production sets DATABASE_URL and REDIS_URL. Nothing here imports
Django or the product, so that it can run before either is configured.
"""
