# One image for every role and for the commands: docker compose run --rm score COMMAND ...
FROM python:3.11-slim

WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY streamapp ./streamapp
RUN pip install --no-cache-dir -c constraints.txt pip \
    && pip install --no-cache-dir -c constraints.txt --build-constraint constraints.txt . \
    && useradd --uid 1000 --create-home streamapp \
    && mkdir /store /keys /state \
    && chown streamapp /store /keys /state

# A named volume takes over the owner of the folder that it is mounted on.
USER streamapp
WORKDIR /home/streamapp
ENV STREAMAPP_STORE=file:///store \
    STREAMAPP_KEYS=/keys \
    STREAMAPP_STATE_DIR=/state \
    STREAMAPP_WEB_BIND=0.0.0.0

ENTRYPOINT ["streamapp"]
CMD ["--help"]
