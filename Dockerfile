# One image per target: logshipper, logformat, dbproxy, and demo-app, demo-database and logserver for the demos.
#   docker build --target logshipper -t podmates/logshipper:0.1.0 .        (or: make images)
# Each holds an interpreter, the libraries its lock names, and the packages it imports; no shell or pip is used at run time.
# syntax is kept to what both BuildKit and buildah understand.

# Any image with the same minor version of python3 in both: the builder needs pip, the base nothing more.
ARG BASE=python:3.13-slim-bookworm
ARG BUILDER=${BASE}

FROM ${BUILDER} AS builder
# A directory of wheels below this one, for a build without a network (OFFLINE=1 make images).
ARG WHEELS=""
ENV WHEELS=${WHEELS}
# As shipped, the zstandard wheel unpacks to 23 MB and uvloop's to 14; without debug symbols they are 2 MB each.
RUN command -v strip >/dev/null || { apt-get update && apt-get install --yes --no-install-recommends binutils; }
WORKDIR /source
COPY . .

FROM builder AS build-logshipper
RUN python3 k8s/images/assemble.py logshipper /opt/podmates ${WHEELS}
FROM builder AS build-logformat
RUN python3 k8s/images/assemble.py logformat /opt/podmates ${WHEELS}
FROM builder AS build-dbproxy
RUN python3 k8s/images/assemble.py dbproxy /opt/podmates ${WHEELS}
FROM builder AS build-demo-app
RUN python3 k8s/images/assemble.py demo-app /opt/podmates ${WHEELS}
FROM builder AS build-logserver
RUN python3 k8s/images/assemble.py logserver /opt/podmates ${WHEELS}
FROM builder AS build-demo-database
RUN python3 k8s/images/assemble.py demo-database /opt/podmates ${WHEELS}

FROM ${BASE} AS mate
LABEL org.opencontainers.image.licenses="Apache-2.0"
# Two malloc arenas: with one per thread and core, a small service holds on to several MiB it does not use.
ENV PYTHONPATH=/opt/podmates PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2
USER 65532:65532
WORKDIR /

FROM mate AS logshipper
LABEL org.opencontainers.image.title="podmates/logshipper" \
      org.opencontainers.image.description="Tails log files on a shared volume and ships them; loses nothing"
COPY --from=build-logshipper /opt/podmates /opt/podmates
EXPOSE 9101
ENTRYPOINT ["python3", "-m", "sidecar_logshipper"]

FROM mate AS logformat
LABEL org.opencontainers.image.title="podmates/logformat" \
      org.opencontainers.image.description="Turns whatever the app logs into one schema"
COPY --from=build-logformat /opt/podmates /opt/podmates
EXPOSE 9102
ENTRYPOINT ["python3", "-m", "adapter_logformat"]

FROM mate AS dbproxy
LABEL org.opencontainers.image.title="podmates/dbproxy" \
      org.opencontainers.image.description="Takes the app from localhost to the database of its environment"
COPY --from=build-dbproxy /opt/podmates /opt/podmates
EXPOSE 9103
ENTRYPOINT ["python3", "-m", "ambassador_dbproxy"]

FROM mate AS demo-app
LABEL org.opencontainers.image.title="podmates/demo-app" \
      org.opencontainers.image.description="A small web app with logs and a database, for the demos"
COPY --from=build-demo-app /opt/podmates /opt/podmates
EXPOSE 8080
ENTRYPOINT ["python3", "-m", "podmates.sample_app"]

FROM mate AS logserver
LABEL org.opencontainers.image.title="podmates/logserver" \
      org.opencontainers.image.description="A small central log server, for the demos"
COPY --from=build-logserver /opt/podmates /opt/podmates
EXPOSE 8514
ENTRYPOINT ["python3", "-m", "podmates.log_server"]

FROM mate AS demo-database
LABEL org.opencontainers.image.title="podmates/demo-database" \
      org.opencontainers.image.description="A small PostgreSQL with one database in it, for the demos"
COPY --from=build-demo-database /opt/podmates /opt/podmates
# initdb wants a name for its user. podman writes one into /etc/passwd when it starts a container, Kubernetes does not.
USER 0:0
RUN ["python3", "-c", "open('/etc/passwd', 'a').write('postgres:x:65532:65532::/:/usr/sbin/nologin\\n')"]
USER 65532:65532
EXPOSE 5432
ENTRYPOINT ["python3", "-m", "podmates.demo_database"]
