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
  const took = (performance.now() - since).toFixed(1);
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  const answer = shown(text, response.headers.get("content-type") ?? "");
  return `${method} ${url.pathname}${url.search}\n${response.status} in ${took} ms\n${headers}\n\n${answer}`;
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
