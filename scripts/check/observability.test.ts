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

test("it finds nothing wrong where nothing is, and in a tree without it", () => {
  assert.equal(checkObservability(new Map(Object.entries(CLEAN))), []);
  assert.equal(checkObservability(new Map()), []);
});

test("Prometheus finds its key and its rules where the compose file puts them", () => {
  const prometheus = "docs/observability/prometheus.yml";
  assert.equal(changed(prometheus, "/run/secrets/metrics_key", "tidemark.key"), [
    "prometheus.yml looks for /etc/prometheus/tidemark.key, which docker-compose.yml does not put into prometheus",
  ]);
  assert.equal(changed(prometheus, "[alerts.yml]", "[rules.yml]"), [
    "prometheus.yml looks for /etc/prometheus/rules.yml, which docker-compose.yml does not put into prometheus",
  ]);
  const target = "secrets: [{ source: metrics_key, target: key }]";
  assert.match(
    changed("docker-compose.yml", "secrets: [metrics_key]", target).join(),
    "looks for /run/secrets/metrics_key,",
  );
});

test("Prometheus asks every process of the compose file, and on its port", () => {
  const prometheus = "docs/observability/prometheus.yml";
  assert.equal(changed(prometheus, "names: [api]", "names: [web]"), [
    "prometheus.yml asks web, which is no service of docker-compose.yml",
    "prometheus.yml does not scrape api",
  ]);
  assert.equal(changed(prometheus, "port: 3000", "port: 3001"), [
    "prometheus.yml asks api on port 3001, where it listens on 3000",
  ]);
});

test("alerts go to an Alertmanager that is there, which has a receiver for each severity", () => {
  const alertmanager = "docs/observability/alertmanager.yml";
  assert.equal(changed("docs/observability/prometheus.yml", "alertmanager:9093", "pager:9093"), [
    "prometheus.yml asks pager, which is no service of docker-compose.yml",
  ]);
  assert.match(
    changed("docs/observability/prometheus.yml", "alerting:", "other:").join(),
    "sends alerts nowhere",
  );
  assert.equal(changed(alertmanager, 'severity="page"', 'severity="pager"'), [
    "alertmanager.yml has no route for alerts of the severity page",
  ]);
  assert.equal(changed(alertmanager, "receiver: pager", "receiver: phone"), [
    "alertmanager.yml routes to phone, which is no receiver of it",
  ]);
  assert.equal(changed("docker-compose.yml", "./docs/observability/alertmanager.yml", "./x.yml"), [
    "alertmanager.yml is in no service of docker-compose.yml",
  ]);
});

test.run();
