# The image of the function for AWS Lambda, for x86_64 and arm64: build it on the function's architecture, or set
# `--platform`. Works with BuildKit and with the classic builder.
#
#   docker build --tag mark-earnings-processed .
#
# Use another base image, for example from a private registry: --build-arg BASE_IMAGE=...
# The base by its digest, which the image then records: --build-arg BASE_DIGEST=sha256:..., as `make image` does.
ARG BASE_IMAGE=public.ecr.aws/lambda/python:3.13
ARG BASE_DIGEST=""
FROM ${BASE_IMAGE}${BASE_DIGEST:+@${BASE_DIGEST}} AS base

# The packages, installed with the base image's pip from a list with the hash of every allowed file. The list is exported
# from uv.lock (deploy/image/export-requirements writes it, a test compares it), so that the build needs no other tool.
FROM base AS packages
COPY deploy/image/requirements.txt /build/
# The platforms are explicit, so that pip selects no wheels for a glibc newer than that of Amazon Linux 2023 (2.34), whatever
# the base image.
RUN python3.13 -m pip install --no-cache-dir --no-compile --root-user-action=ignore --disable-pip-version-check \
        --target "${LAMBDA_TASK_ROOT}" --requirement /build/requirements.txt --no-deps --require-hashes \
        --only-binary :all: --implementation cp --python-version 3.13 \
        --platform "manylinux_2_28_$(uname -m)" \
        --platform "manylinux_2_17_$(uname -m)" \
        --platform "manylinux2014_$(uname -m)"

# The packages without unused files, compiled.
FROM packages AS trimmed
COPY deploy/image/shrink_packages.py /build/
RUN python3.13 /build/shrink_packages.py trim "${LAMBDA_TASK_ROOT}" && python3.13 /build/shrink_packages.py finish "${LAMBDA_TASK_ROOT}"

# The ADOT layer, which AWS_LAMBDA_EXEC_WRAPPER=/opt/otel-instrument turns on. A layer cannot be attached to an image
# function. It contains only what the function's packages lack: there is one OpenTelemetry in the image.
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

# The CycloneDX SBOM. The tool is in its own environment and reads the packages from outside.
FROM base AS sbom-tool
COPY deploy/image/requirements-sbom.txt /build/
RUN python3.13 -m venv --without-pip /build/sbom-tool \
    && python3.13 -m pip install --no-cache-dir --no-compile --root-user-action=ignore --disable-pip-version-check \
        --target /build/sbom-tool/lib/python3.13/site-packages --requirement /build/requirements-sbom.txt \
        --no-deps --require-hashes --only-binary :all:

FROM trimmed AS sbom
COPY --from=sbom-tool /build/sbom-tool /build/sbom-tool
COPY --from=layer /opt /opt
COPY pyproject.toml LICENSE /build/
RUN python3.13 -m venv --without-pip /build/seen \
    && printf '%s\n' "${LAMBDA_TASK_ROOT}" /opt/adot/python >/build/seen/lib/python3.13/site-packages/seen.pth \
    && /build/sbom-tool/bin/python -m cyclonedx_py environment --pyproject /build/pyproject.toml \
        --output-reproducible --output-format JSON --output-file /build/sbom.cdx.json /build/seen \
    && chmod 644 /build/sbom.cdx.json

# The function. The smoke test starts it with all its parts in every export mode, which detects missing files.
FROM trimmed AS function
COPY --from=layer /opt /opt
COPY deploy/image/smoke_test.py /build/
COPY handler "${LAMBDA_TASK_ROOT}/handler"
COPY otel "${LAMBDA_TASK_ROOT}/otel"
COPY LICENSE NOTICE /build/notices/
RUN chmod 644 /build/notices/* && touch --date=@315532800 /build/notices/*
RUN python3.13 /build/shrink_packages.py finish "${LAMBDA_TASK_ROOT}/handler" \
    && python3.13 /build/shrink_packages.py finish "${LAMBDA_TASK_ROOT}/otel" \
    && python3.13 /build/smoke_test.py "${LAMBDA_TASK_ROOT}" \
    && HANDLER_COLD_START=standard python3.13 /build/smoke_test.py "${LAMBDA_TASK_ROOT}" \
    && export AWS_LAMBDA_EXEC_WRAPPER=/opt/otel-instrument \
    && /opt/otel-instrument python3.13 /build/smoke_test.py "${LAMBDA_TASK_ROOT}" /opt/adot \
    && OTEL_AWS_LAMBDA_FAST_START=false \
        /opt/otel-instrument python3.13 /build/smoke_test.py "${LAMBDA_TASK_ROOT}" /opt/adot

# Packages and code are separate image layers: a change of the code is a few kilobytes to push and to load. The base image's
# ENTRYPOINT is kept, because it starts the wrapper in AWS_LAMBDA_EXEC_WRAPPER. There is no USER: Lambda runs every function
# as an unprivileged user.
FROM base
COPY --from=trimmed ${LAMBDA_TASK_ROOT} ${LAMBDA_TASK_ROOT}
COPY --from=layer /opt /opt
COPY --from=sbom /build/sbom.cdx.json /usr/share/sbom/mark-earnings-processed.cdx.json
COPY --from=function ${LAMBDA_TASK_ROOT}/handler ${LAMBDA_TASK_ROOT}/handler
COPY --from=function ${LAMBDA_TASK_ROOT}/otel ${LAMBDA_TASK_ROOT}/otel
COPY --from=function /build/notices ${LAMBDA_TASK_ROOT}
# The default export mode; empty for direct mode.
ENV AWS_LAMBDA_EXEC_WRAPPER=/opt/otel-instrument
CMD ["handler.app.lambda_handler"]

ARG VERSION=""
ARG REVISION=""
ARG CREATED=""
ARG SOURCE=""
ARG BASE_IMAGE
ARG BASE_DIGEST
# `service.version` of the spans.
ENV SERVICE_VERSION=${REVISION}
LABEL org.opencontainers.image.title="MarkEarningsProcessed" \
      org.opencontainers.image.description="AWS Lambda function: marks a company's earnings as processed in DynamoDB, exactly once, with one correlation ID through every span, log line, metric and dead letter." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE_IMAGE}" \
      org.opencontainers.image.base.digest="${BASE_DIGEST}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
