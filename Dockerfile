# The proxy as a container. The install steps are marked: make build runs them as they stand.

FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements.lock ./
# make build runs this
RUN pip install --quiet --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY . .
# make build runs this
RUN pip wheel --quiet --no-deps --no-build-isolation --wheel-dir wheel .

FROM python:3.13-slim
WORKDIR /opt/mralab
COPY requirements-runtime.lock ./
# make build runs this
RUN pip install --quiet --no-cache-dir --no-deps --require-hashes -r requirements-runtime.lock
COPY --from=build /src/wheel wheel
# make build runs this
RUN pip install --quiet --no-cache-dir --no-deps wheel/*.whl && pip check && mralab --version
RUN useradd --system --uid 10001 --create-home mralab \
    && install --directory --owner=mralab --group=mralab /lab
USER mralab
WORKDIR /home/mralab

# Reachable from other containers on purpose; what is published to the outside, docker run or
# docker-compose.yml decides. The admin listener stays on the container's loopback.
EXPOSE 8443
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8444/healthz', timeout=2)"]
ENTRYPOINT ["mralab"]
CMD ["serve", "--listen", "0.0.0.0:8443"]
