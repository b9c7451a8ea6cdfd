import { readFileSync } from "node:fs";
import { connect } from "node:net";

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { createTestDatabase } from "../../scripts/test/database.ts";
import { until } from "../../scripts/test/patience.ts";
import {
  accept,
  anEvent,
  completedJob,
  postEvents,
  statusOf,
  untilLogins,
} from "../api_client.fixture.ts";
import { killServices, startService } from "../service_process.fixture.ts";

const test = suite("what is written about the metrics");

const read = (path: string): string =>
  readFileSync(new URL(`../../docs/${path}`, import.meta.url), "utf8");

const ALERTS = "observability/alerts.yml";
const ALERT_TESTS = "observability/alerts.test.yml";
const DASHBOARD = "observability/grafana/dashboards/tidemark.json";
const MANUAL = "operations.md";

/** The series of a scrape, by metric. */
const seriesOf = (text: string): ReadonlyMap<string, ReadonlyArray<string>> => {
  const series = new Map<string, string[]>();
  for (const [, name = "", labels = ""] of text.matchAll(/^([a-z]\w*)(\{.*\})? \S+$/gm)) {
    series.set(name, [...(series.get(name) ?? []), labels]);
  }
  return series;
};

const METRIC = /\b(?:tidemark|nodejs|process)_\w+/g;
/** A selector, such as `name{label="value"}`; in JSON the quotes are escaped. */
const SELECTOR = /\b((?:tidemark|nodejs|process)_\w+)\{([^}]*)\}/g;
const MATCHER = /(\w+)(=~|=)"((?:[^"\\]|\\.)*)"/g;

const settings = (database: string) => ({
  DATABASE_URL: database,
  // Unavailable, and so reported.
  REDIS_URL: "redis://127.0.0.1:1",
});

let metrics = "";

test.before(async () => {
  const database = await createTestDatabase();
  const service = startService(settings(database.url));
  try {
    const url = await service.url();
    await completedJob(url, await accept(url, anEvent()));
    await untilLogins(url, 1);
    // Again, from the cache.
    await untilLogins(url, 1);
    assert.is((await postEvents(url, [])).status, 400);
    await statusOf(url, "/accounts/acme/events");
    // For metrics of malformed requests.
    await new Promise((resolve) => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1");
      socket.on("close", resolve).resume().end("no HTTP\r\n\r\n");
    });
    await until(async () => {
      metrics = await (await fetch(`${url}/metrics`)).text();
      return ["nodejs_gc_duration_seconds", "tidemark_http_refused_total"].every((name) =>
        metrics.includes(name),
      );
    }, "some metrics are missing");
    await service.stop();
  } finally {
    await killServices();
    await database.drop();
  }
});

for (const path of [ALERTS, ALERT_TESTS, DASHBOARD]) {
  test(`${path} names only existing metrics and labels`, () => {
    const series = seriesOf(metrics);
    const text = path.endsWith(".json") ? expressionsIn(path) : read(path);
    const names = new Set(text.match(METRIC));
    assert.ok(names.size > 10);
    for (const name of names) assert.ok(series.has(name), `${name} does not exist`);
    for (const [, name = "", matchers = ""] of text.matchAll(SELECTOR)) {
      for (const [, label = "", operator, value = ""] of matchers.matchAll(MATCHER)) {
        // Added by Prometheus.
        if (label === "job" || label === "instance") continue;
        // Not every status has occurred.
        if (label === "status") continue;
        // A bound can be written in two ways.
        const wanted = value.replaceAll("\\\\", "\\").replace(/\.0$/, "");
        const pattern = operator === "=" ? escaped(wanted) : wanted;
        const matcher = new RegExp(`[{,]${label}="(?:${pattern})"[,}]`);
        assert.ok(
          series.get(name)?.some((labels) => matcher.test(labels)),
          `${name} has no ${label} ${operator} ${value}`,
        );
      }
    }
  });
}

test("operations.md lists exactly the existing metrics", () => {
  const families = new Set(
    Array.from(metrics.matchAll(/^# TYPE (\S+) /gm), ([, name = ""]) => name),
  );
  const manual = read(MANUAL);
  const table = manual.slice(manual.indexOf("## Metrics"), manual.indexOf("**From accepted"));
  const listed = new Set(table.match(METRIC));
  assert.equal([...listed].toSorted(), [...families].toSorted());
});

test("the dashboard shows every counter of failures", () => {
  const shown = expressionsIn(DASHBOARD);
  const counters = new Set(metrics.match(/\btidemark_\w+_(?:failures|changes|retries)_total\b/g));
  assert.ok(counters.size > 5);
  assert.equal(
    [...counters].filter((name) => !shown.includes(name)),
    [],
  );
});

test("operations.md says what to do about each alert", () => {
  const manual = read(MANUAL);
  const alerts = new Set(Array.from(read(ALERTS).matchAll(/alert: (\w+)/g), ([, name]) => name));
  const headings = new Set(Array.from(manual.matchAll(/^### (\w+)$/gm), ([, name]) => name));
  assert.equal(headings, alerts);
});

test("every alert is tested in alerts.test.yml", () => {
  const tried = read(ALERT_TESTS);
  for (const [, name = ""] of read(ALERTS).matchAll(/alert: (\w+)/g)) assert.match(tried, name);
});

test("the dashboard and the alerts use only rules that are recorded", () => {
  const rules = read(ALERTS);
  const recorded = new Set(Array.from(rules.matchAll(/record: (\S+)/g), ([, name = ""]) => name));
  for (const text of [rules, read(ALERT_TESTS), expressionsIn(DASHBOARD)]) {
    for (const [name] of text.matchAll(/\btidemark:\w+(?::\w+)?/g)) {
      assert.ok(recorded.has(name), `${name} is recorded by no rule`);
    }
  }
});

/** The queries of a dashboard, one a line. */
const expressionsIn = (path: string): string => {
  const { panels } = JSON.parse(read(path)) as {
    readonly panels: ReadonlyArray<{ readonly targets?: ReadonlyArray<{ readonly expr: string }> }>;
  };
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join("\n");
};

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

test.run();
