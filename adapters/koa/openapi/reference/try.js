// Sends what the forms of the reference page say, to this service and to no other, and shows what comes back.

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

const shown = (text, type) => {
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
  // Relative to the page, so that it works behind a proxy that puts the service below a path.
  const url = new URL(`${pathOf(form)}${queryOf(form)}`.slice(1), document.baseURI);
  const since = performance.now();
  const response = await fetch(url, { method, body, headers: headersOf(body) });
  const text = await response.text();
  if (response.status === 202 && body !== undefined) {
    follow(text);
    bodies.forEach(renew);
  }
  const took = (performance.now() - since).toFixed(1);
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  const answer = shown(text, response.headers.get("content-type") ?? "");
  return `${method} ${url.pathname}${url.search}\n${response.status} in ${took} ms\n${headers}\n\n${answer}`;
};

/** The events of an example with ids of their own and the time of this moment: another send is no conflict with the last. */
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

/** What the page has put into a body; what somebody has changed since stays as they want it. */
const renew = (body) => {
  if (body.value !== (body.dataset.shown ?? body.value)) return;
  body.value = renewed(body.value);
  body.dataset.shown = body.value;
};

const bodies = [...document.querySelectorAll('textarea[data-in="body"]')];
bodies.forEach(renew);

/** A job that was accepted is the one to follow. */
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
    send(form).then(show, (error) => show(`No answer: ${error.message}`));
  });
}
