# One image for every role: recogniser, master, worker, headless ladder, GPU sidecar. docker-compose.yml says which.

FROM python:3.11-slim-bookworm AS build
COPY . /src
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /wheels /src

FROM python:3.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 \
    STT_LOAD_CACHE=/var/cache/stt-load
RUN useradd --uid 1000 --create-home caller \
    && install --directory --mode 1777 "$STT_LOAD_CACHE"
COPY constraints.txt /tmp/
COPY --from=build /wheels /tmp/wheels
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt "$(echo /tmp/wheels/*.whl)[demo,report]" \
    && rm -r /tmp/wheels
WORKDIR /load
COPY locustfiles locustfiles
USER caller
# The default clips, so that no container has to render them.
RUN stt-load clips show > /dev/null
CMD ["stt-load", "--help"]
