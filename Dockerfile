# The function as AWS Lambda runs it. The same file makes the image for x86_64 and for arm64: build it on, or with
# `--platform` for, the architecture that the function is to have. Works with BuildKit and with the classic builder.
#
#   docker build --tag mark-earnings-processed .
#
# Another base, for example from a private registry: --build-arg BASE_IMAGE=...
# The base by its digest, which the image then records: --build-arg BASE_DIGEST=sha256:..., as `make image` does.
ARG BASE_IMAGE=public.ecr.aws/lambda/python:3.13
ARG BASE_DIGEST=""
FROM ${BASE_IMAGE}${BASE_DIGEST:+@${BASE_DIGEST}} AS base

# The packages. Installed by the pip that the base image brings, from a list with the hash of every file that uv.lock
# allows. The list is uv.lock's content in pip's words (deploy/image/export-requirements writes it, a test compares it), so that the
# build needs no tool that it would have to fetch and trust first.
FROM base AS packages
COPY deploy/image/requirements.txt /build/
# The platforms are named although pip would find out its own: wheels for a glibc newer than Amazon Linux 2023's (2.34)
# must not come in, whatever the base image.
RUN python3.13 -m pip install --no-cache-dir --no-compile --root-user-action=ignore --disable-pip-version-check \
        --target "${LAMBDA_TASK_ROOT}" --requirement /build/requirements.txt --no-deps --require-hashes \
        --only-binary :all: --implementation cp --python-version 3.13 \
        --platform "manylinux_2_28_$(uname -m)" \
        --platform "manylinux_2_17_$(uname -m)" \
        --platform "manylinux2014_$(uname -m)"

# Only what the function needs of them, compiled.
FROM packages AS trimmed
COPY deploy/image/shrink_packages.py /build/
RUN python3.13 /build/shrink_packages.py trim "${LAMBDA_TASK_ROOT}" && python3.13 /build/shrink_packages.py finish "${LAMBDA_TASK_ROOT}"

# ADOT's layer, for whoever turns it on by AWS_LAMBDA_EXEC_WRAPPER=/opt/otel-instrument. Layers cannot be attached to the
# functions of an image. Only what the function's own packages lack: there is one OpenTelemetry in the image.
FROM base AS layer
COPY deploy/image/requirements-layer.txt deploy/image/shrink_packages.py /build/
RUN python3.13 -m pip install --no-cache-dir --no-compile --root-user-action=ignore --disable-pip-version-check \
        --target /opt/adot/python --requirement /build/requirements-layer.txt --no-deps --require-hashes \
        --only-binary :all: --implementation cp --python-version 3.13 \
        --platform "manylinux_2_28_$(uname -m)" \
        --platform "manylinux_2_17_$(uname -m)" \
        --platform "manylinux2014_$(uname -m)"
COPY deploy/image/layer /opt/
COPY LICENSE /opt/adot/
RUN python3.13 /build/shrink_packages.py tidy /opt/adot/python && python3.13 /build/shrink_packages.py finish /opt/adot \
    && chmod 755 /opt/otel-instrument && touch --date=@315532800 /opt/otel-instrument

# What is in the image, in CycloneDX's words. The tool is in an environment of its own and looks at the packages as at
# another one.
FROM base AS sbom-tool
COPY deploy/image/requirements-sbom.txt /build/
RUN python3.13 -m venv --without-pip /build/sbom-tool \
    && python3.13 -m pip install --no-cache-dir --no-compile --root-user-action=ignore --disable-pip-version-check \
        --target /build/sbom-tool/lib/python3.13/site-packages --requirement /build/requirements-sbom.txt \
        --no-deps --require-hashes --only-binary :all:

FROM trimmed AS sbom
COPY --from=sbom-tool /build/sbom-tool /build/sbom-tool
COPY --from=layer /opt /opt
COPY pyproject.toml LICENSE README.md /build/
RUN python3.13 -m venv --without-pip /build/seen \
    && printf '%s\n' "${LAMBDA_TASK_ROOT}" /opt/adot/python >/build/seen/lib/python3.13/site-packages/seen.pth \
    && /build/sbom-tool/bin/python -m cyclonedx_py environment --pyproject /build/pyproject.toml \
        --output-reproducible --output-format JSON --output-file /build/sbom.cdx.json /build/seen \
    && chmod 644 /build/sbom.cdx.json

# The function, and a start of it with all its parts, in each of its ways: what is missing shows here.
FROM trimmed AS function
COPY --from=layer /opt /opt
COPY deploy/image/smoke_test.py /build/
COPY handler "${LAMBDA_TASK_ROOT}/handler"
COPY otel "${LAMBDA_TASK_ROOT}/otel"
RUN python3.13 /build/shrink_packages.py finish "${LAMBDA_TASK_ROOT}/handler" \
    && python3.13 /build/shrink_packages.py finish "${LAMBDA_TASK_ROOT}/otel" \
    && python3.13 /build/smoke_test.py "${LAMBDA_TASK_ROOT}" \
    && HANDLER_COLD_START=standard python3.13 /build/smoke_test.py "${LAMBDA_TASK_ROOT}" \
    && /opt/otel-instrument python3.13 /build/smoke_test.py "${LAMBDA_TASK_ROOT}" /opt/adot/python \
    && OTEL_AWS_LAMBDA_FAST_START=true \
        /opt/otel-instrument python3.13 /build/smoke_test.py "${LAMBDA_TASK_ROOT}" /opt/adot/python

# Packages and code are layers of their own: a change of the code is a few kilobytes to push and to load.
# The base image's ENTRYPOINT stays, because it starts the wrapper that AWS_LAMBDA_EXEC_WRAPPER names. There is no USER:
# Lambda runs every function as an unprivileged user of its own choice.
FROM base
COPY --from=trimmed ${LAMBDA_TASK_ROOT} ${LAMBDA_TASK_ROOT}
COPY --from=layer /opt /opt
COPY --from=sbom /build/sbom.cdx.json /usr/share/sbom/mark-earnings-processed.cdx.json
COPY --from=function ${LAMBDA_TASK_ROOT}/handler ${LAMBDA_TASK_ROOT}/handler
COPY --from=function ${LAMBDA_TASK_ROOT}/otel ${LAMBDA_TASK_ROOT}/otel
CMD ["handler.app.lambda_handler"]

ARG VERSION=""
ARG REVISION=""
ARG CREATED=""
ARG SOURCE=""
ARG BASE_IMAGE
ARG BASE_DIGEST
LABEL org.opencontainers.image.title="MarkEarningsProcessed" \
      org.opencontainers.image.description="AWS Lambda function: marks a company's earnings as processed in DynamoDB, exactly once, with one correlation ID through every span, log line, metric and dead letter." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
