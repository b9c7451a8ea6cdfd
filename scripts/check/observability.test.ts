import { suite } from "uvu";
import * as assert from "uvu/assert";

import { checkObservability } from "./observability.ts";

const CLEAN = {
  "docker-compose.yml": `
services:
  api: { build: ., environment: { ROLES: api, PORT: 3000 } }
  prometheus:
    volumes:
      - ./docs/observability/prometheus.yml:/etc/prometheus/prometheus.yml:ro
      - ./docs/observability/alerts.yml:/etc/prometheus/alerts.yml:ro
      - data:/prometheus
    secrets: [metrics_key]
  alertmanager:
    volumes: ["./docs/observability/alertmanager.yml:/etc/alertmanager/alertmanager.yml:ro"]
`,
  "docs/observability/prometheus.yml": `
rule_files: [alerts.yml]
alerting: { alertmanagers: [{ static_configs: [{ targets: ["alertmanager:9093"] }] }] }
scrape_configs:
  - authorization: { credentials_file: /run/secrets/metrics_key }
    dns_sd_configs: [{ names: [api], port: 3000 }]
`,
  "docs/observability/alertmanager.yml": `
route:
  receiver: tickets
  routes: [{ matchers: ['severity="page"'], receiver: pager }]
receivers: [{ name: tickets }, { name: pager }]
`,
  "docs/observability/alerts.yml": `
groups: [{ rules: [{ record: a }, { alert: B, labels: { severity: page } }] }]
`,
};

type File = keyof typeof CLEAN;

const changed = (file: File, from: string, to: string): ReadonlyArray<string> => {
  assert.ok(CLEAN[file].includes(from), from);
  const files = { ...CLEAN, [file]: CLEAN[file].replace(from, to) };
  return checkObservability(new Map(Object.entries(files))).map(
    ({ path, message }) => `${path.split("/").at(-1)} ${message}`,
  );
};

const test = suite("observability");

test("it accepts a clean configuration, and a tree without one", () => {
  assert.equal(checkObservability(new Map(Object.entries(CLEAN))), []);
  assert.equal(checkObservability(new Map()), []);
});

test("the compose file mounts the key and the rules where Prometheus expects them", () => {
  const prometheus = "docs/observability/prometheus.yml";
  assert.equal(changed(prometheus, "/run/secrets/metrics_key", "tidemark.key"), [
    "prometheus.yml refers to /etc/prometheus/tidemark.key, which docker-compose.yml does not mount into prometheus",
  ]);
  assert.equal(changed(prometheus, "[alerts.yml]", "[rules.yml]"), [
    "prometheus.yml refers to /etc/prometheus/rules.yml, which docker-compose.yml does not mount into prometheus",
  ]);
  const target = "secrets: [{ source: metrics_key, target: key }]";
  assert.match(
    changed("docker-compose.yml", "secrets: [metrics_key]", target).join(),
    "refers to /run/secrets/metrics_key,",
  );
});

test("Prometheus scrapes every process of the compose file, on its port", () => {
  const prometheus = "docs/observability/prometheus.yml";
  assert.equal(changed(prometheus, "names: [api]", "names: [web]"), [
    "prometheus.yml refers to web, which is not a service of docker-compose.yml",
    "prometheus.yml does not scrape api",
  ]);
  assert.equal(changed(prometheus, "port: 3000", "port: 3001"), [
    "prometheus.yml refers to api on port 3001, but it listens on 3000",
  ]);
});

test("alerts go to an existing Alertmanager, which has a receiver for each severity", () => {
  const alertmanager = "docs/observability/alertmanager.yml";
  assert.equal(changed("docs/observability/prometheus.yml", "alertmanager:9093", "pager:9093"), [
    "prometheus.yml refers to pager, which is not a service of docker-compose.yml",
  ]);
  assert.match(
    changed("docs/observability/prometheus.yml", "alerting:", "other:").join(),
    "alerts go nowhere",
  );
  assert.equal(changed(alertmanager, 'severity="page"', 'severity="pager"'), [
    "alertmanager.yml has no route for alerts with the severity page",
  ]);
  assert.equal(changed(alertmanager, "receiver: pager", "receiver: phone"), [
    "alertmanager.yml routes to the unknown receiver phone",
  ]);
  assert.equal(changed("docker-compose.yml", "./docs/observability/alertmanager.yml", "./x.yml"), [
    "alertmanager.yml is not mounted into any service of docker-compose.yml",
  ]);
});

test.run();
