# Two images. Without a target, `stt-load`: recogniser, master, headless ladder, GPU sidecar, and every other command.
# With `--target worker`, `stt-load-worker`: a Locust worker and nothing else. docker-compose.yml uses both.
#
#   docker build -t stt-load .
#   docker build -t stt-load-worker --target worker .
#   docker build -t stt-load --build-arg EXTRAS=demo,report,otel .     PNG charts (90 MB more), and figures by OTLP

# What stt-load requires, apart from stt-load: it is built again only when that changes. Without the tests that packages
# bring, and not compiled: an image compiles what it uses.
FROM python:3.11-slim-bookworm AS packages
COPY pyproject.toml constraints.txt /src/
RUN python -c "import tomllib; print(*tomllib.load(open('/src/pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        > /src/requirements.txt \
    && pip install --no-cache-dir --no-compile --prefix /packages --constraint /src/constraints.txt \
        --requirement /src/requirements.txt \
    && find /packages -type d -name tests -prune -exec rm -r {} +

FROM packages AS program
COPY . /src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /src \
    && pip install --no-cache-dir --no-compile --no-deps --prefix /program /wheels/*.whl

FROM program AS extras
ARG EXTRAS=demo
RUN cp -r /packages/. /program/. /usr/local/ \
    && pip install --no-cache-dir --prefix /extras --constraint /src/constraints.txt \
        "$(echo /wheels/*.whl)[$EXTRAS]" \
    && find /extras -type d -name tests -prune -exec rm -r {} +
# The default clips, so that no container has to render them, and a worker needs no espeak. Whoever runs it may add some.
RUN PYTHONPATH=/extras/lib/python3.11/site-packages STT_LOAD_CACHE=/cache stt-load clips show > /dev/null \
    && chmod -R a+rwX /cache

FROM python:3.11-slim-bookworm AS worker
ENV PYTHONUNBUFFERED=1 \
    STT_LOAD_CACHE=/var/cache/stt-load \
    STT_LOAD_DATA=/var/lib/stt-load
RUN useradd --uid 1000 --create-home caller \
    && install --directory --mode 1777 "$STT_LOAD_CACHE" "$STT_LOAD_DATA"
COPY --from=packages /packages /usr/local
COPY --from=program /program /usr/local
COPY --from=extras /cache /var/cache/stt-load
WORKDIR /load
COPY locustfiles locustfiles
# Compiles what is used, so that no start of a container does.
RUN python -m compileall -q /usr/local/lib/python3.11/site-packages/stt_load \
    && for file in locustfiles/*.py; do locust -f "$file" --show-task-ratio > /dev/null || exit; done
# By number, so that Kubernetes sees that it isn't root.
USER 1000:1000
ENTRYPOINT ["locust", "--worker"]

FROM worker
COPY --from=extras /extras /usr/local
ENTRYPOINT []
CMD ["stt-load", "--help"]
