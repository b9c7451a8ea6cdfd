# syntax=docker/dockerfile:1
# The service, without the embedded database: DATABASE_URL names one. It runs its TypeScript as it is.

# The Node of package.json; npm run check holds the two together.
ARG NODE_VERSION=26.10.0

FROM node:${NODE_VERSION}-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# The binaries of the embedded database and of Node, which the image has, are optional packages. Nothing that is left has to be
# built.
RUN --mount=type=cache,target=/root/.npm \
    npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:${NODE_VERSION}-slim
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
# .dockerignore keeps tests out.
COPY package.json ./
COPY core core
COPY adapters adapters
COPY db db
COPY scripts scripts
COPY app app

# Outside of the container nobody reaches 127.0.0.1; and who listens to all must know who asks.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 AUTH=required LOG_FORMAT=json
USER node
EXPOSE 3000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Without npm in between, so that SIGTERM reaches the service. It starts no processes, so it may be the first;
# docker run --init, or init: true, does no harm.
CMD ["node", "--max-old-space-size=1024", "--initial-old-space-size=100", "--v8-pool-size=1", "app/main.ts"]
