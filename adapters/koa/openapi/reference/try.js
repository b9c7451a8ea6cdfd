// Sends the requests of the page's forms to this service only, and shows the responses.

const key = document.querySelector("#key");

const pathOf = (form) =>
  form.dataset.path.replace(/\{([^}]+)\}/g, (_, name) =>
    encodeURIComponent(form.elements[name].value),
  );

const queryOf = (form) => {
  const given = [...form.querySelectorAll('[data-in="query"]')].filter(({ value }) => value !== "");
  const query = new URLSearchParams(given.map(({ name, value }) => [name, value])).toString();
  return query === "" ? "" : `?${query}`;
};

const headersOf = (body) => ({
  ...(key.value === "" ? {} : { Authorization: `Bearer ${key.value.trim()}` }),
  ...(body === undefined ? {} : { "Content-Type": "application/json" }),
});

const indented = (text, type) => {
  if (!/json/.test(type)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
};

const send = async (form) => {
  const method = form.dataset.method;
  const body = form.querySelector('[data-in="body"]')?.value;
  // Relative to the page, so that it works behind a proxy that serves the service under a path.
  const url = new URL(`${pathOf(form)}${queryOf(form)}`.slice(1), document.baseURI);
  const start = performance.now();
  const response = await fetch(url, { method, body, headers: headersOf(body) });
  const text = await response.text();
  if (response.status === 202 && body !== undefined) {
    follow(text);
    bodies.forEach(renew);
  }
  const took = (performance.now() - start).toFixed(1);
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  const answer = indented(text, response.headers.get("content-type") ?? "");
  return `${method} ${url.pathname}${url.search}\n${response.status} in ${took} ms\n${headers}\n\n${answer}`;
};

/** Gives the events of an example new ids and the current time, so that sending it again causes no conflict. */
const renewed = (text) => {
  const { events } = JSON.parse(text);
  const now = Date.now();
  const timestamp = new Date(now).toISOString();
  const fresh = events.map((event, n) => ({
    ...event,
    event_id: `try-${now.toString(36)}-${n + 1}`,
    timestamp,
  }));
  return JSON.stringify({ events: fresh }, null, 2);
};

/** Renews a body that still is what the page put into it; text that a person edited stays. */
const renew = (body) => {
  if (body.value !== (body.dataset.shown ?? body.value)) return;
  body.value = renewed(body.value);
  body.dataset.shown = body.value;
};

const bodies = [...document.querySelectorAll('textarea[data-in="body"]')];
bodies.forEach(renew);

/** Fills in the accepted job, so that its status can be requested next. */
const follow = (answer) => {
  const { jobId } = JSON.parse(answer);
  const id = document.querySelector('form[data-path="/jobs/{id}"] [name="id"]');
  if (id !== null) id.value = jobId;
};

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const output = form.querySelector("output");
    if (output === null) return;
    output.textContent = "…";
    const show = (text) => {
      output.textContent = text;
    };
    send(form).then(show, (error) => show(`No response: ${error.message}`));
  });
}
