# syntax=docker/dockerfile:1
# The service without the embedded database: set DATABASE_URL. Node runs the TypeScript files directly.

# The Node version of package.json; npm run check compares them.
ARG NODE_VERSION=26.10.0

FROM node:${NODE_VERSION}-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Optional packages contain the embedded database and Node, which the image already has. The others need no install script.
RUN --mount=type=cache,target=/root/.npm \
    npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:${NODE_VERSION}-slim
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
# .dockerignore excludes tests.
COPY package.json ./
COPY core core
COPY adapters adapters
COPY db db
COPY scripts scripts
COPY app app

# 127.0.0.1 is unreachable from outside the container, and a service that listens on all interfaces must authenticate.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 AUTH=required LOG_FORMAT=json
USER node
EXPOSE 3000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node is started without npm, so that SIGTERM reaches the service. The service starts no child processes, so it can be PID 1;
# docker run --init, or init: true, does no harm.
CMD ["node", "--max-old-space-size=1024", "--initial-old-space-size=100", "--v8-pool-size=1", "app/main.ts"]
