FROM python:3.13-slim AS build
# torch serves models other than the bundled one; leave it out for an image a tenth as large
ARG EXTRAS=parquet,s3,crawl,torch
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY imaging imaging
COPY search search
COPY ingest ingest
COPY workers workers
COPY facsimile facsimile
RUN python -m venv /opt/facsimile && /opt/facsimile/bin/pip install --no-cache-dir ".[$EXTRAS]"

FROM python:3.13-slim
RUN useradd --uid 10001 --create-home --home-dir /home/facsimile facsimile
COPY --from=build /opt/facsimile /opt/facsimile
ENV PATH=/opt/facsimile/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
WORKDIR /home/facsimile
ENTRYPOINT ["facsimile"]
CMD ["--help"]
