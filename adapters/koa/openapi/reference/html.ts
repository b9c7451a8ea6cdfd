/** Markup that is safe to insert as it is. */
export interface Html {
  readonly html: string;
}

type Value = string | number | Html | undefined | ReadonlyArray<Html>;

/** Builds markup; escapes every inserted value that is not `Html`. */
export const html = (parts: TemplateStringsArray, ...values: ReadonlyArray<Value>): Html => ({
  html: parts.reduce((text, part, i) => text + render(values[i - 1]) + part),
});

const render = (value: Value): string => {
  if (value === undefined) return "";
  if (typeof value === "string" || typeof value === "number") return escape(String(value));
  return "html" in value ? value.html : value.map((each) => each.html).join("");
};

const escape = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** Renders the part of CommonMark that the document uses: paragraphs, and code between backticks. */
export const markdown = (text: string): ReadonlyArray<Html> =>
  text.split("\n\n").map((paragraph) => html`<p>${inline(paragraph)}</p>`);

/** Renders code between backticks. */
export const inline = (text: string): ReadonlyArray<Html> =>
  text.split("`").map((piece, i) => (i % 2 === 1 ? html`<code>${piece}</code>` : html`${piece}`));

/** Renders a JSON value as an indented block. */
export const json = (value: unknown): Html =>
  html`<pre><code>${typeof value === "string" ? value : JSON.stringify(value, null, 2)}</code></pre>`;
