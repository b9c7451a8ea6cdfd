/** Text that is HTML already. */
export interface Html {
  readonly html: string;
}

type Value = string | number | Html | undefined | ReadonlyArray<Html>;

/** HTML in which everything that is put in is text, unless it is HTML itself. */
export const html = (parts: TemplateStringsArray, ...values: ReadonlyArray<Value>): Html => ({
  html: parts.reduce((text, part, i) => text + shown(values[i - 1]) + part),
});

const shown = (value: Value): string => {
  if (value === undefined) return "";
  if (typeof value === "string" || typeof value === "number") return escaped(String(value));
  return "html" in value ? value.html : value.map((each) => each.html).join("");
};

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

const escaped = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");

/** As much of CommonMark as the document uses: paragraphs, and code between backticks. */
export const markdown = (text: string): ReadonlyArray<Html> =>
  text.split("\n\n").map((paragraph) => html`<p>${inline(paragraph)}</p>`);

/** Code between backticks. */
export const inline = (text: string): ReadonlyArray<Html> =>
  text.split("`").map((piece, i) => (i % 2 === 1 ? html`<code>${piece}</code>` : html`${piece}`));

/** A JSON value for a person to read. */
export const json = (value: unknown): Html =>
  html`<pre><code>${typeof value === "string" ? value : JSON.stringify(value, null, 2)}</code></pre>`;
